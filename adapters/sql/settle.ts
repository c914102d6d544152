/**
 * Applies patches and renews leases.
 *
 * @module
 */
import type { Patch } from "../../core/lifecycle/lifecycle.ts";
import type { Lease, Settlement, SettlementGuard } from "../../core/ports/store.ts";
import type { BatchColumn } from "./batch.ts";
import { type Keyed, KeyedBatch } from "./keyed_batch.ts";
import { type Change, runReached, runReachingAll } from "./affected_rows.ts";
import { storedDetails } from "./row.ts";
import type { Run } from "./run.ts";
import { isStorableKey, storable } from "./text.ts";
import { KeySet, type Table } from "./table.ts";
import { hasToken, type Proof } from "./transaction_proof.ts";
import { UNHURRIED } from "./async_commit.ts";

/** Settles outside a transaction, or in one of the store. */
function settle(
  run: Run,
  table: Table,
  settlements: readonly Settlement[],
): Promise<boolean[]> {
  return inRounds(run, settlements, (round) => settlementChange(table, round));
}

/**
 * See `Store.settle`. A transaction of the user's own must be one, which its proof shows.
 *
 * @throws {AtlastError} `no_transaction`; nothing is changed then.
 */
export function settleWithin(
  run: Run,
  table: Table,
  settlements: readonly Settlement[],
  proof: Proof | null,
): Promise<boolean[]> {
  if (proof === null) return settle(run, table, settlements);
  return proof.write(async (token) => {
    const applied = await inRounds(
      run,
      settlements,
      (round) => settlementChange(table, round, token),
    );
    if (applied.includes(true)) return applied;
    const isWithin = await run(`select 1 where ${hasToken("$1")}`, [token]);
    return isWithin.length > 0 ? applied : null;
  });
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

/**
 * Columns that no settlement changes are left out: each value costs time in the driver and the server, and an
 * indexed column costs most.
 */
function settlementChange(
  table: Table,
  round: readonly Settlement[],
  token?: string,
): Change {
  const patched = PATCH_COLUMNS.filter(({ field }) =>
    round.some(({ seen, patch }) => seen === undefined || seen[field] !== patch[field])
  );
  const replies = round.some(({ seen, reply }) => reply !== undefined && reply !== seen?.reply);
  const claims = GUARDS.find(({ guard }) => round.every((each) => each.guard === guard));
  const batch = new KeyedBatch(round, [
    EPOCH,
    FROM_STATE,
    ...patched,
    ...claims === undefined ? [CLAIMED] : [],
    ...replies ? [REPLIED, REPLY] : [],
  ]);
  const set = patched.map(({ name }) => `${name} = ${batch.value(name)}`);
  if (replies) {
    set.push(
      `reply = case when ${batch.value(REPLIED.name)} then ${
        batch.value(REPLY.name)
      } else t.reply end`,
    );
  }
  const isClaimed = claims?.sql ??
    `(t.lease_until_ms is not null) = coalesce(${
      batch.value(CLAIMED.name)
    }, t.lease_until_ms is not null)`;
  // "is not false" prevents Postgres from using the claim index, which contains the whole backlog.
  const sql = `update ${table.name} as t
set ${[...set, "lease_until_ms = null"].join(", ")}
where ${batch.hasKey} and t.epoch = ${batch.value(EPOCH.name)}
  and (t.state = ${batch.value(FROM_STATE.name)}) is not false and ${isClaimed}${
    token === undefined ? "" : `\n  and ${hasToken(batch.param(token, "text"))}`
  }`;
  return { ...batch.with, sql, params: batch.params };
}

/** The condition for each guard, used if it is the same for all settlements. */
const GUARDS: readonly { readonly guard: SettlementGuard; readonly sql: string }[] = [
  { guard: "holder", sql: "t.lease_until_ms is not null" },
  { guard: "anyone while free", sql: "t.lease_until_ms is null" },
  { guard: "anyone", sql: "true" },
];

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
where ${batch.hasKey} and t.epoch = ${batch.value("epoch")} and t.lease_until_ms is not null
  and ${UNHURRIED}`;
    return { ...batch.with, sql, params: batch.params };
  });
}

const EPOCH: BatchColumn<Lease> = { name: "epoch", type: "integer", value: ({ epoch }) => epoch };

/** The columns that a patch sets. */
const PATCH_COLUMNS: readonly (BatchColumn<Settlement> & { readonly field: keyof Patch })[] = [
  { name: "state", field: "state", type: "text", value: ({ patch }) => patch.state },
  { name: "attempts", field: "attempts", type: "integer", value: ({ patch }) => patch.attempts },
  { name: "crashes", field: "crashes", type: "integer", value: ({ patch }) => patch.crashes },
  {
    name: "expires_at_ms",
    field: "expiresAtMs",
    type: "bigint",
    value: ({ patch }) => patch.expiresAtMs,
  },
  { name: "checks", field: "checks", type: "integer", value: ({ patch }) => patch.checks },
  {
    name: "unreachable",
    field: "unreachable",
    type: "integer",
    value: ({ patch }) => patch.unreachable,
  },
  { name: "note", field: "note", type: "text", value: ({ patch }) => textOrNull(patch.note) },
  {
    name: "details",
    field: "details",
    type: "text",
    value: ({ patch }) => storedDetails(patch.details),
  },
  { name: "reason", field: "reason", type: "text", value: ({ patch }) => textOrNull(patch.reason) },
  { name: "due_at_ms", field: "dueAtMs", type: "bigint", value: ({ patch }) => patch.dueAtMs },
  {
    name: "deadline_ms",
    field: "deadlineMs",
    type: "bigint",
    value: ({ patch }) => patch.deadlineMs,
  },
];

/* What else a settlement says, beside its key. */

const FROM_STATE: BatchColumn<Settlement> = {
  name: "from_state",
  type: "text",
  value: ({ from }) => from,
};

/** Null settles in both cases. */
const CLAIMED: BatchColumn<Settlement> = {
  name: "claimed",
  type: "boolean",
  value: ({ guard }) => guard === "anyone" ? null : guard === "holder",
};

const REPLIED: BatchColumn<Settlement> = {
  name: "replied",
  type: "boolean",
  value: ({ reply }) => reply !== undefined,
};

const REPLY: BatchColumn<Settlement> = {
  name: "reply",
  type: "text",
  value: ({ reply }) => textOrNull(reply ?? null),
};

/**
 * Runs a statement over items with a key, and returns for each whether its row was changed. A statement
 * applies one change to a row, so items with the same key run in separate rounds, in order.
 */
async function inRounds<Item extends Keyed>(
  run: Run,
  items: readonly Item[],
  change: (round: readonly Item[]) => Change,
): Promise<boolean[]> {
  const applied = items.map(() => false);
  // No record has a key that cannot be stored.
  let left = [...items.keys()].filter((index) => isStorableKey((items[index] as Item).key));
  while (left.length > 0) {
    const seen = new KeySet();
    const indexes: number[] = [];
    const later: number[] = [];
    for (const index of left) (seen.add((items[index] as Item).key) ? indexes : later).push(index);
    const round = indexes.map((index) => items[index] as Item);
    const reached = await runReached(run, round.length, change(round));
    indexes.forEach((index, i) => applied[index] = reached((round[i] as Item).key));
    left = later;
  }
  return applied;
}

function textOrNull(text: string | null): string | null {
  return text === null ? null : storable(text);
}
