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
    const set = PATCH_COLUMNS.map((column) => `${column} = ${batch.value(column)}`);
    // "is not false" keeps Postgres from finding the rows through the claim index, which has the whole
    // backlog in it.
    return run(
      `${batch.with}update ${table.name} as t
set ${set.join(", ")}, lease_until_ms = null,
  reply = case when ${batch.value("replied")} then ${batch.value("reply")} else t.reply end
where ${batch.hasKey} and t.epoch = ${batch.value("epoch")}
  and (t.state = ${batch.value("from_state")}) is not false
  and (t.lease_until_ms is not null) = coalesce(${
        batch.value("claimed")
      }, t.lease_until_ms is not null)
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

/** The columns that a patch sets. */
const PATCH_COLUMNS = [
  "state",
  "attempts",
  "crashes",
  "due_at_ms",
  "deadline_ms",
  "expires_at_ms",
  "checks",
  "unreachable",
  "note",
  "reason",
];

function settleColumns(round: readonly Settlement[]): BatchColumn[] {
  const patches = round.map(({ patch }) => patch);
  return [
    epochColumn(round),
    {
      name: "claimed",
      type: "boolean",
      // Null lets it settle either way.
      values: round.map(({ claimed }) => claimed === "either" ? null : claimed),
    },
    { name: "from_state", type: "text", values: round.map(({ from }) => from) },
    { name: "state", type: "text", values: patches.map(({ state }) => state) },
    { name: "attempts", type: "integer", values: patches.map(({ attempts }) => attempts) },
    { name: "crashes", type: "integer", values: patches.map(({ crashes }) => crashes) },
    { name: "due_at_ms", type: "bigint", values: patches.map(({ dueAtMs }) => dueAtMs) },
    { name: "deadline_ms", type: "bigint", values: patches.map(({ deadlineMs }) => deadlineMs) },
    {
      name: "expires_at_ms",
      type: "bigint",
      values: patches.map(({ expiresAtMs }) => expiresAtMs),
    },
    { name: "checks", type: "integer", values: patches.map(({ checks }) => checks) },
    {
      name: "unreachable",
      type: "integer",
      values: patches.map(({ unreachable }) => unreachable),
    },
    { name: "note", type: "text", values: patches.map(({ note }) => textOrNull(note)) },
    { name: "reason", type: "text", values: patches.map(({ reason }) => textOrNull(reason)) },
    { name: "replied", type: "boolean", values: round.map(({ reply }) => reply !== undefined) },
    { name: "reply", type: "text", values: round.map(({ reply }) => textOrNull(reply ?? null)) },
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
  // A key that cannot be stored is that of no record.
  let left = [...items.entries()].filter(([, { key }]) => isStorableKey(key));
  while (left.length > 0) {
    const round = new Map<string, [number, Item]>();
    const later: [number, Item][] = [];
    for (const entry of left) {
      const text = keyText(entry[1].key);
      if (round.has(text)) later.push(entry);
      else round.set(text, entry);
    }
    const sorted = [...round.values()].map(([, item]) => item)
      .sort((a, b) => compareKeys(a.key, b.key));
    for (const [id, group] of await apply(sorted)) {
      const [place] = round.get(keyText({ id: id as string, group: group as string })) ?? [];
      if (place !== undefined) reached[place] = true;
    }
    left = later;
  }
  return reached;
}

function textOrNull(text: string | null): string | null {
  return text === null ? null : storable(text);
}
