/**
 * Applying patches, and extending leases.
 *
 * @module
 */
import type { Lease, Settlement } from "../../core/ports.ts";
import type { BatchColumn } from "./batch.ts";
import { type Keyed, KeyedBatch } from "./keyed_batch.ts";
import { type Change, runReached, runReachingAll } from "./reached.ts";
import type { Run } from "./run.ts";
import { isStorableKey, storable } from "./storable_text.ts";
import { KeySet, type Table } from "./table.ts";

/** See `Store.settle`. */
export function settle(
  run: Run,
  table: Table,
  settlements: readonly Settlement[],
): Promise<boolean[]> {
  return inRounds(run, settlements, (round) => settlementChange(table, round));
}

/** See `Store.settleAsLast`. */
export async function settleAll(
  run: Run,
  table: Table,
  settlements: readonly Settlement[],
): Promise<void> {
  if (settlements.length === 0) return;
  await runReachingAll(run, settlements.length, settlementChange(table, settlements));
}

function settlementChange(table: Table, round: readonly Settlement[]): Change {
  const patched = [...PATCH_COLUMNS, ...changedTimes(round)];
  const batch = new KeyedBatch(round, [...SETTLE_COLUMNS, ...patched]);
  const set = patched.map(({ name }) => `${name} = ${batch.value(name)}`);
  // "is not false" keeps Postgres from finding the rows through the claim index, which has the whole
  // backlog in it.
  const sql = `update ${table.name} as t
set ${set.join(", ")}, lease_until_ms = null,
  reply = case when ${batch.value("replied")} then ${batch.value("reply")} else t.reply end
where ${batch.hasKey} and t.epoch = ${batch.value("epoch")}
  and (t.state = ${batch.value("from_state")}) is not false
  and (t.lease_until_ms is not null) = coalesce(${
    batch.value("claimed")
  }, t.lease_until_ms is not null)`;
  return { ...batch.with, sql, params: batch.params };
}

/** See `Store.renew`. */
export function renew(
  run: Run,
  table: Table,
  leases: readonly Lease[],
  leaseUntilMs: number,
): Promise<boolean[]> {
  return inRounds(run, leases, (round) => {
    const batch = new KeyedBatch(round, [EPOCH]);
    const sql = `update ${table.name} as t
set lease_until_ms = ${batch.param(Math.ceil(leaseUntilMs), "bigint")}
where ${batch.hasKey} and t.epoch = ${batch.value("epoch")} and t.lease_until_ms is not null`;
    return { ...batch.with, sql, params: batch.params };
  });
}

const EPOCH: BatchColumn<Lease> = { name: "epoch", type: "integer", value: ({ epoch }) => epoch };

/** The columns that a patch always sets. */
const PATCH_COLUMNS: readonly BatchColumn<Settlement>[] = [
  { name: "state", type: "text", value: ({ patch }) => patch.state },
  { name: "attempts", type: "integer", value: ({ patch }) => patch.attempts },
  { name: "crashes", type: "integer", value: ({ patch }) => patch.crashes },
  { name: "expires_at_ms", type: "bigint", value: ({ patch }) => patch.expiresAtMs },
  { name: "checks", type: "integer", value: ({ patch }) => patch.checks },
  { name: "unreachable", type: "integer", value: ({ patch }) => patch.unreachable },
  { name: "note", type: "text", value: ({ patch }) => textOrNull(patch.note) },
  { name: "reason", type: "text", value: ({ patch }) => textOrNull(patch.reason) },
];

const TIME_COLUMNS:
  readonly (BatchColumn<Settlement> & { readonly time: "dueAtMs" | "deadlineMs" })[] = [
    { name: "due_at_ms", type: "bigint", time: "dueAtMs", value: ({ patch }) => patch.dueAtMs },
    {
      name: "deadline_ms",
      type: "bigint",
      time: "deadlineMs",
      value: ({ patch }) => patch.deadlineMs,
    },
  ];

/**
 * Times that no patch changes stay out of the statement. They are mostly all that differs between
 * records, and a statement in which nothing differs is several times as fast.
 */
function changedTimes(round: readonly Settlement[]): BatchColumn<Settlement>[] {
  return TIME_COLUMNS.filter(({ time }) =>
    round.some(({ seen, patch }) => seen === undefined || seen[time] !== patch[time])
  );
}

/** What else a settlement says, beside its key. */
const SETTLE_COLUMNS: readonly BatchColumn<Settlement>[] = [
  EPOCH,
  {
    name: "claimed",
    type: "boolean",
    // Null settles either way.
    value: ({ claimed }) => claimed === "either" ? null : claimed,
  },
  { name: "from_state", type: "text", value: ({ from }) => from },
  { name: "replied", type: "boolean", value: ({ reply }) => reply !== undefined },
  { name: "reply", type: "text", value: ({ reply }) => textOrNull(reply ?? null) },
];

/**
 * Runs a statement over items with a key, and says of each whether its row was reached. A statement
 * applies one change to a row, so items with the same key go to rounds of their own, in order.
 */
async function inRounds<Item extends Keyed>(
  run: Run,
  items: readonly Item[],
  change: (round: readonly Item[]) => Change,
): Promise<boolean[]> {
  const applied = items.map(() => false);
  // A key that cannot be stored is that of no record.
  let left = [...items.keys()].filter((place) => isStorableKey((items[place] as Item).key));
  while (left.length > 0) {
    const seen = new KeySet();
    const places: number[] = [];
    const later: number[] = [];
    for (const place of left) (seen.add((items[place] as Item).key) ? places : later).push(place);
    const round = places.map((place) => items[place] as Item);
    const reached = await runReached(run, round.length, change(round));
    places.forEach((place, i) => applied[place] = reached((round[i] as Item).key));
    left = later;
  }
  return applied;
}

function textOrNull(text: string | null): string | null {
  return text === null ? null : storable(text);
}
