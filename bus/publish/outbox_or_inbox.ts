/**
 * Adds messages whose subscribers use the publisher's own store. Such a message is in the outbox while it is
 * delayed and in the inbox afterwards. Its id is unique across both.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { AddResult, Store } from "../../core/ports/store.ts";
import type { NewRecord, RecordKey, StoredRecord } from "../../core/ports/record.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import type { Settings } from "../settings/settings.ts";

/** The rows to add, and the box. */
interface Addition<Tx> {
  readonly box: Box;
  readonly rows: readonly NewRecord[];
  readonly tx?: Tx | SqlClient | undefined;
}

/**
 * Adds rows like `Store.add`. A row whose message is in the other box is not added; its result is
 * that record.
 */
export async function addOnce<Tx>(
  { store, clock, sharedStore }: Settings<Tx>,
  { box, rows, tx }: Addition<Tx>,
): Promise<AddResult[]> {
  return await addWith(
    { store, sharedStore },
    { box, rows, tx },
    (left) => store.add(box, left, clock.now(), tx),
  );
}

/**
 * Adds rows like `StoreHints.addSoon`, where the store has it, and otherwise as {@linkcode addOnce} does.
 *
 * @returns null if that would have to wait for longer than `waitMs` milliseconds; nothing was added.
 */
export async function addOnceSoon<Tx>(
  settings: Settings<Tx>,
  { box, rows }: Pick<Addition<Tx>, "box" | "rows">,
  waitMs: number,
): Promise<AddResult[] | null> {
  const { store, clock } = settings;
  const { addSoon } = store.hints ?? {};
  if (addSoon === undefined) return await addOnce(settings, { box, rows });
  return await addWith(
    settings,
    { box, rows },
    (left) => addSoon(box, left, clock.now(), waitMs),
  );
}

async function addWith<Tx, Added extends AddResult[] | null>(
  { store, sharedStore }: Pick<Settings<Tx>, "store" | "sharedStore">,
  { box, rows, tx }: Addition<Tx>,
  add: (rows: readonly NewRecord[]) => Promise<Added>,
): Promise<Added | AddResult[]> {
  const found = sharedStore === null ? null : await findElsewhere(store, { box, rows, tx });
  if (found === null) return await add(rows);
  const isElsewhere = ({ id }: NewRecord) => found.has(id);
  const left = rows.filter((row) => !isElsewhere(row));
  const results = left.length === 0 ? [] : await add(left);
  if (results === null) return results;
  const added = results.values();
  return rows.map((row) => {
    const existing = found.get(row.id);
    return existing === undefined ? added.next().value as AddResult : { added: false, existing };
  });
}

/** The records of these messages in the other box, by id; null when there are none. */
async function findElsewhere<Tx>(
  store: Store<Tx>,
  { box, rows, tx }: Addition<Tx>,
): Promise<Map<string, StoredRecord> | null> {
  if (!store.capabilities.transactions) return null;
  const keys = rows.flatMap((row) => row.hasNewKey ? [] : keysElsewhere(box, row));
  if (keys.length === 0) return null;
  const elsewhere = box === "outbox" ? "inbox" : "outbox";
  const found = (await store.findMany?.(elsewhere, keys, tx) ?? [])
    .filter((record) => record !== null);
  return found.length === 0 ? null : new Map(found.map((record) => [record.id, record]));
}

/**
 * The keys under which a message may be in the other box. Only messages to groups of this store can
 * be there.
 */
function keysElsewhere(box: Box, { id, details }: NewRecord): RecordKey[] {
  return box === "inbox"
    ? [{ id, group: "" }]
    : (details?.groups ?? []).map((group) => ({ id, group }));
}
