/**
 * Collects the records of one `publishMany` behind publish middleware, so that they are stored together.
 *
 * A publish counts as done for its middleware when its message is collected: a middleware that lets only a few through
 * at once would otherwise wait for messages that wait for it.
 *
 * @module
 */
import type { NewRecord } from "../../core/ports/record.ts";
import type { Receipt } from "../api/publish_options.ts";

/** Takes a record, and answers the middleware. */
type Collect = (record: NewRecord) => Promise<Receipt>;

/**
 * Runs `count` publishes, and stores what they published in one call, in their order. If one of them fails, nothing is
 * stored.
 *
 * @param publish Runs the publish at an index; a middleware may answer it without a record, or publish several.
 * @param storeAll Stores records: all of them, or none.
 * @returns The receipts of the store, and of middleware that published nothing.
 */
export async function publishInBatch(
  count: number,
  publish: (index: number, collect: Collect) => Promise<Receipt>,
  storeAll: (records: NewRecord[]) => Promise<Receipt[]>,
): Promise<Receipt[]> {
  const collected: NewRecord[][] = Array.from({ length: count }, () => []);
  const given = await Promise.all(collected.map((own, index) =>
    publish(index, (record) => {
      own.push(record);
      return Promise.resolve({ id: record.id, duplicate: false });
    })
  ));
  const records = collected.flat();
  if (records.length === 0) return given;
  const stored = (await storeAll(records)).values();
  const receipts = collected.map((own) => own.map(() => stored.next().value as Receipt));
  return given.map((receipt, index) =>
    receipts[index]?.find(({ id }) => id === receipt.id) ?? receipt
  );
}
