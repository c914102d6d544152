/**
 * Applying patches, and extending leases.
 *
 * @module
 */
import type { Lease, RecordKey, Settlement } from "../../core/ports.ts";
import type { BatchColumn } from "./batch.ts";
import { KeyedBatch } from "./keyed_batch.ts";
import type { Run } from "./run.ts";
import { isStorableKey, storable } from "./storable_text.ts";
import { compareKeys, keyText, type Table } from "./table.ts";

/** See `Store.settle`. */
export function settle(
  run: Run,
  table: Table,
  settlements: readonly Settlement[],
): Promise<boolean[]> {
  return inRounds(settlements, (round) => {
    const batch = new KeyedBatch(round.map(({ key }) => key), settleColumns(round));
    const set = patchColumns(round).map(({ name }) => `${name} = ${batch.value(name)}`);
    // "is not false" keeps Postgres from finding the rows through the claim index, which has the whole
    // backlog in it.
    return run(
      `${batch.with}update ${table.name} as t
set ${set.join(", ")}, lease_until_ms = null,
  reply = case when ${batch.value("replied")} then ${batch.value("reply")} else t.reply end
where ${batch.hasKey} and t.epoch = ${batch.value("epoch")}
  and (t.state = ${batch.value("from_state")}) is not false
  and (t.lease_until_ms is not null) = ${batch.value("claimed")}
returning id, subscriber_group`,
      batch.params,
    );
  });
}

/** See `Store.renew`. */
export function renew(
  run: Run,
  table: Table,
  leases: readonly Lease[],
  leaseUntilMs: number,
): Promise<boolean[]> {
  return inRounds(leases, (round) => {
    const batch = new KeyedBatch(round.map(({ key }) => key), [epochColumn(round)]);
    return run(
      `${batch.with}update ${table.name} as t
set lease_until_ms = ${batch.param(Math.ceil(leaseUntilMs), "bigint")}
where ${batch.hasKey} and t.epoch = ${batch.value("epoch")} and t.lease_until_ms is not null
returning id, subscriber_group`,
      batch.params,
    );
  });
}

function epochColumn(leases: readonly Lease[]): BatchColumn {
  return { name: "epoch", type: "integer", values: leases.map(({ epoch }) => epoch) };
}

function settleColumns(round: readonly Settlement[]): BatchColumn[] {
  return [
    epochColumn(round),
    { name: "claimed", type: "boolean", values: round.map(({ claimed }) => claimed) },
    { name: "from_state", type: "text", values: round.map(({ from }) => from) },
    ...patchColumns(round),
    { name: "replied", type: "boolean", values: round.map(({ reply }) => reply !== undefined) },
    { name: "reply", type: "text", values: round.map(({ reply }) => textOrNull(reply ?? null)) },
  ];
}

/**
 * The columns that the patches set. Times that no patch changes stay out of the statement: they are
 * mostly all that differs between records, and without them it is several times as fast.
 */
function patchColumns(round: readonly Settlement[]): BatchColumn[] {
  const patches = round.map(({ patch }) => patch);
  const isUnchanged = (time: "dueAtMs" | "deadlineMs") =>
    round.every(({ patch, seen }) => seen !== undefined && seen[time] === patch[time]);
  const times: BatchColumn[] = [];
  if (!isUnchanged("dueAtMs")) {
    const values = patches.map(({ dueAtMs }) => dueAtMs);
    times.push({ name: "due_at_ms", type: "bigint", values });
  }
  if (!isUnchanged("deadlineMs")) {
    const values = patches.map(({ deadlineMs }) => deadlineMs);
    times.push({ name: "deadline_ms", type: "bigint", values });
  }
  return [
    ...times,
    { name: "state", type: "text", values: patches.map(({ state }) => state) },
    { name: "attempts", type: "integer", values: patches.map(({ attempts }) => attempts) },
    { name: "crashes", type: "integer", values: patches.map(({ crashes }) => crashes) },
    {
      name: "expires_at_ms",
      type: "bigint",
      values: patches.map(({ expiresAtMs }) => expiresAtMs),
    },
    { name: "reason", type: "text", values: patches.map(({ reason }) => textOrNull(reason)) },
  ];
}

/**
 * Runs a statement over items with a key, and says which it reached. A statement applies one change to a
 * row, so items with the same key go to rounds of their own, in order. Within a round they are sorted
 * by key, so that two statements at once lock their rows in the same order and never wait for each
 * other.
 */
async function inRounds<Item extends { readonly key: RecordKey }>(
  items: readonly Item[],
  apply: (round: readonly Item[]) => Promise<readonly unknown[][]>,
): Promise<boolean[]> {
  const reached = items.map(() => false);
  // A key that cannot be stored is that of no record. Sorting keeps the order of equal keys.
  let left = items.map((item, place) => ({ item, place, key: item.key }))
    .filter(({ key }) => isStorableKey(key))
    .sort((a, b) => compareKeys(a.key, b.key));
  while (left.length > 0) {
    const isFirst = (i: number) => i === 0 || compareKeys(left[i - 1]!.key, left[i]!.key) !== 0;
    const round = left.filter((_, i) => isFirst(i));
    const rows = await apply(round.map(({ item }) => item));
    for (const { place } of reachedBy(rows, round)) reached[place] = true;
    left = left.filter((_, i) => !isFirst(i));
  }
  return reached;
}

/** The items whose keys came back. Mostly all do, and then none need be looked up. */
function reachedBy<Item extends { readonly key: RecordKey }>(
  rows: readonly unknown[][],
  round: readonly Item[],
): readonly Item[] {
  if (rows.length === round.length) return round;
  const keys = new Set(rows.map(([id, group]) => keyText({ id: `${id}`, group: `${group}` })));
  return round.filter(({ key }) => keys.has(keyText(key)));
}

function textOrNull(text: string | null): string | null {
  return text === null ? null : storable(text);
}
