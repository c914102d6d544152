/**
 * Reads records of the memory store by their keys, for `verify`. Each call looks at all records, which is enough for
 * tests.
 *
 * @module
 */
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";

/** See `InspectionHints.outlines`. */
export function pageOf(
  records: Iterable<StoredRecord>,
  after: RecordKey | null,
  limit: number,
): StoredRecord[] {
  const last = after === null ? null : keyText(after);
  return [...records]
    .map((record) => ({ record, text: keyText(record) }))
    .filter(({ text }) => last === null || text > last)
    .sort((a, b) => a.text < b.text ? -1 : 1)
    .slice(0, limit)
    .map(({ record }) => record);
}

/** See `InspectionHints.outlinesOf`. */
export function withIds(
  records: Iterable<StoredRecord>,
  ids: readonly string[],
): StoredRecord[] {
  const wanted = new Set(ids);
  return [...records].filter(({ id }) => wanted.has(id));
}

/** Ids have no line breaks, so that different keys have different texts. */
function keyText({ id, group }: RecordKey): string {
  return `${id}\n${group}`;
}
