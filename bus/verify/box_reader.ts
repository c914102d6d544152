/**
 * Reads the records of a store in pages, and finds records by their ids, without bodies. It uses what the store has for
 * that, and otherwise what every store has.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import { outlineOf, type RecordOutline } from "../../core/ports/inspection.ts";
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";
import type { ReadableStore } from "./verify_options.ts";

/** The largest page that is read with bodies. */
const MAX_PAGE_WITH_BODIES = 100;
/** How many records are looked up at once where each takes a call. */
const MAX_CONCURRENT_FINDS = 50;

/** The records that were added in a time. */
export interface Span {
  /** From this time on, in Unix milliseconds. */
  readonly sinceMs: number;
  /** Before this time, in Unix milliseconds. */
  readonly beforeMs: number;
}

/** Reads the boxes of one store. */
export class BoxReader {
  readonly #store: ReadableStore;
  readonly #pageSize: number;

  constructor(store: ReadableStore, pageSize: number) {
    this.#store = store;
    this.#pageSize = pageSize;
  }

  /** The records of a box that were added in a time, page by page. A page may be empty. */
  pages(box: Box, span: Span): AsyncGenerator<RecordOutline[]> {
    return this.#store.hints?.outlines === undefined
      ? this.#listed(box, span)
      : this.#byKey(box, span);
  }

  /** The records of these messages, by id. */
  async withIds(
    box: Box,
    keys: readonly RecordKey[],
  ): Promise<ReadonlyMap<string, readonly RecordOutline[]>> {
    const { hints } = this.#store;
    const ids = [...new Set(keys.map(({ id }) => id))];
    if (ids.length === 0) return new Map();
    const found = await hints?.outlinesOf?.(box, ids) ?? await this.#find(box, keys);
    const byId = new Map<string, RecordOutline[]>();
    for (const record of found) {
      const others = byId.get(record.id);
      if (others === undefined) byId.set(record.id, [record]);
      else others.push(record);
    }
    return byId;
  }

  async *#byKey(box: Box, span: Span): AsyncGenerator<RecordOutline[]> {
    let after: RecordKey | null = null;
    for (;;) {
      const page: readonly RecordOutline[] =
        await this.#store.hints?.outlines?.(box, after, this.#pageSize) ?? [];
      yield page.filter((record) => isWithin(record, span));
      const last = page.at(-1);
      if (last === undefined || page.length < this.#pageSize) return;
      after = { id: last.id, group: last.group };
    }
  }

  /** Newest first, so that it ends at the beginning of the time. */
  async *#listed(box: Box, span: Span): AsyncGenerator<RecordOutline[]> {
    const limit = Math.min(this.#pageSize, MAX_PAGE_WITH_BODIES);
    let after = span.beforeMs === Infinity
      ? undefined
      : { createdAtMs: span.beforeMs, key: { id: "", group: "" } };
    for (;;) {
      const page: readonly StoredRecord[] = await this.#store.list({
        box,
        limit,
        ...after === undefined ? {} : { after },
      });
      yield page.filter((record) => isWithin(record, span)).map(outlineOf);
      const last = page.at(-1);
      if (last === undefined || page.length < limit || last.createdAtMs < span.sinceMs) return;
      after = { createdAtMs: last.createdAtMs, key: { id: last.id, group: last.group } };
    }
  }

  async #find(box: Box, keys: readonly RecordKey[]): Promise<RecordOutline[]> {
    const found: RecordOutline[] = [];
    for (let from = 0; from < keys.length; from += MAX_CONCURRENT_FINDS) {
      const some = keys.slice(from, from + MAX_CONCURRENT_FINDS);
      const records = await Promise.all(some.map((key) => this.#store.find(box, key)));
      for (const record of records) if (record !== null) found.push(outlineOf(record));
    }
    return found;
  }
}

function isWithin({ createdAtMs }: RecordOutline, { sinceMs, beforeMs }: Span): boolean {
  return createdAtMs >= sinceMs && createdAtMs < beforeMs;
}
