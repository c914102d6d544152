/**
 * Finds the records of what a bus published in its store: only what was committed is there.
 *
 * @module
 */
import type { BusEvent } from "../../bus/api/observer.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Store } from "../../core/ports/store.ts";

/** More than a test publishes. */
export const ALL_RECORDS = 100_000;

/** What a bus published. */
export class PublishedRecords {
  /** The ids of messages in the order in which they were published. */
  readonly #order = new Map<string, number>();

  /** Called with every event of the bus. */
  note(event: BusEvent): void {
    if (event.kind !== "published" && event.kind !== "staged") return;
    if (!this.#order.has(event.id)) this.#order.set(event.id, this.#order.size);
  }

  /** The records of a name, or of all, in the order in which they were published. */
  async read(store: Pick<Store, "list">, name: string | undefined): Promise<StoredRecord[]> {
    const query = { limit: ALL_RECORDS, ...(name === undefined ? {} : { name }) };
    const [outbox, inbox] = await Promise.all([
      store.list({ box: "outbox", ...query }),
      store.list({ box: "inbox", ...query }),
    ]);
    const records = new Map<string, StoredRecord>();
    // With a shared store, what is published is in the inbox of its groups at once.
    for (const record of inbox) if (this.#order.has(record.id)) records.set(record.id, record);
    for (const record of outbox) if (isPublished(record)) records.set(record.id, record);
    return [...records.values()].sort((a, b) =>
      a.createdAtMs - b.createdAtMs || this.#indexOf(a) - this.#indexOf(b)
    );
  }

  /** A message that the bus did not report is one that another part of it added, after the others. */
  #indexOf({ id }: StoredRecord): number {
    return this.#order.get(id) ?? Number.MAX_SAFE_INTEGER;
  }
}

/** Half messages are published when they are confirmed. */
function isPublished({ state, details }: StoredRecord): boolean {
  if (state === "prepared" || state === "in_doubt") return false;
  return !(state === "cancelled" && details?.isHalf === true);
}
