/**
 * Applying patches, and extending leases.
 *
 * @module
 */
import type { Lease, RecordKey, Settlement } from "../../core/ports.ts";
import { Batch, type BatchColumn } from "./batch.ts";
import type { Run } from "./run.ts";
import { storable } from "./storable_text.ts";
import { compareKeys, keyText, type Table } from "./table.ts";

/** See `Store.settle`. */
export function settle(
  run: Run,
  table: Table,
  settlements: readonly Settlement[],
): Promise<boolean[]> {
  return inRounds(settlements, (round) => {
    const batch = new Batch([...leaseColumns(round), ...settleColumns(round)]);
    const set = PATCH_COLUMNS.map((column) => `${column} = ${batch.value(column)}`);
    return run(
      `update ${table.name} as t
set ${set.join(", ")}, lease_until_ms = null,
  reply = case when ${batch.value("replied")} then ${batch.value("reply")} else t.reply end${
        batch.from("from")
      }
where ${sameLease(batch)} and t.state = ${batch.value("from_state")}
  and (t.lease_until_ms is not null) = coalesce(${
        batch.value("claimed")
      }, t.lease_until_ms is not null)
returning ${batch.nth} as nth`,
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
    const batch = new Batch(leaseColumns(round));
    return run(
      `update ${table.name} as t
set lease_until_ms = ${batch.param(Math.ceil(leaseUntilMs), "bigint")}${batch.from("from")}
where ${sameLease(batch)} and t.lease_until_ms is not null
returning ${batch.nth} as nth`,
      batch.params,
    );
  });
}

function leaseColumns(leases: readonly Lease[]): BatchColumn[] {
  return [
    { name: "id", type: "text", values: leases.map(({ key }) => key.id) },
    { name: "subscriber_group", type: "text", values: leases.map(({ key }) => key.group) },
    { name: "epoch", type: "integer", values: leases.map(({ epoch }) => epoch) },
  ];
}

function sameLease(batch: Batch): string {
  return ["id", "subscriber_group", "epoch"]
    .map((column) => `t.${column} = ${batch.value(column)}`)
    .join(" and ");
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
 * Runs a statement over items with a key. A statement applies one change to a row, so items with the
 * same key go to rounds of their own, in order. Within a round they are sorted by key, so that two
 * statements at once lock their rows in the same order and never wait for each other.
 */
async function inRounds<Item extends { readonly key: RecordKey }>(
  items: readonly Item[],
  apply: (round: readonly Item[]) => Promise<readonly unknown[][]>,
): Promise<boolean[]> {
  const applied = items.map(() => false);
  let left = [...items.keys()];
  while (left.length > 0) {
    const places = new Map<string, number>();
    const later: number[] = [];
    for (const place of left) {
      const text = keyText((items[place] as Item).key);
      if (places.has(text)) later.push(place);
      else places.set(text, place);
    }
    const round = [...places.values()].sort((a, b) =>
      compareKeys((items[a] as Item).key, (items[b] as Item).key)
    );
    for (const [nth] of await apply(round.map((place) => items[place] as Item))) {
      applied[round[Number(nth) - 1] as number] = true;
    }
    left = later;
  }
  return applied;
}

function textOrNull(text: string | null): string | null {
  return text === null ? null : storable(text);
}
