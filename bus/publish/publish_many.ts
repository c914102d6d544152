/**
 * Collects the records of one `publishMany`, so that they are stored together.
 *
 * @module
 */
import type { NewRecord } from "../../core/ports/record.ts";
import type { Receipt } from "../api/publish_options.ts";

/** The records of one `publishMany` call. */
export class PublishBatch {
  readonly #count: number;
  readonly #storeMany: (records: NewRecord[]) => Promise<Receipt[]>;
  readonly #taken: { readonly index: number; readonly record: NewRecord }[] = [];
  readonly #arrived = new Set<number>();
  readonly #stored: Promise<Receipt[]>;
  #settle: (receipts: Promise<Receipt[]>) => void = () => {};
  #isClosed = false;

  /** Collects records from `count` publishes; `storeMany` stores all of them, or none. */
  constructor(count: number, storeMany: (records: NewRecord[]) => Promise<Receipt[]>) {
    this.#count = count;
    this.#storeMany = storeMany;
    this.#stored = new Promise((resolve) => this.#settle = resolve);
    // Each publish rejects with a failure. This handler keeps the shared promise from reporting it
    // as unhandled.
    this.#stored.catch(() => {});
  }

  /**
   * Takes a record of the publish at `index`, and resolves when all are stored. Further records
   * that a middleware publishes are stored with them, or after them.
   */
  async take(record: NewRecord, index: number): Promise<Receipt> {
    if (this.#isClosed) {
      await this.#stored;
      return (await this.#storeMany([record]))[0] as Receipt;
    }
    const position = this.#taken.push({ index, record }) - 1;
    this.end(index);
    return (await this.#stored)[position] as Receipt;
  }

  /** Called when the publish at `index` has a record, or ended without one. */
  end(index: number): void {
    this.#arrived.add(index);
    if (this.#arrived.size < this.#count || this.#isClosed) return;
    this.#isClosed = true;
    this.#settle(this.#storeAll());
  }

  /** Called when the publish at `index` failed. If it had no record yet, none is stored. */
  fail(index: number, error: unknown): void {
    if (!this.#arrived.has(index)) this.#settle(Promise.reject(error));
  }

  async #storeAll(): Promise<Receipt[]> {
    const indexes = [...this.#taken.keys()];
    const at = (index: number) => this.#taken[index] as { index: number; record: NewRecord };
    indexes.sort((a, b) => at(a).index - at(b).index || a - b);
    if (indexes.length === 0) return [];
    const stored = await this.#storeMany(indexes.map((index) => at(index).record));
    const receipts: Receipt[] = [];
    indexes.forEach((index, i) => receipts[index] = stored[i] as Receipt);
    return receipts;
  }
}
