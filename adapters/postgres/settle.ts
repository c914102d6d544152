/**
 * Applying patches, and extending leases.
 *
 * @module
 */
import type { Lease, RecordKey, Settlement } from "../../core/ports.ts";
import { booleanArray, numberArray, textArray } from "./array_literal.ts";
import type { Value } from "./row.ts";
import type { Run } from "./run.ts";
import { storable } from "./storable_text.ts";
import { compareKeys, keyText, type Table } from "./table.ts";

/** Settles and renews records of a table. */
export class Settler {
  readonly #settle: string;
  readonly #renew: string;

  constructor(table: Table) {
    this.#settle = settleSql(table);
    this.#renew = renewSql(table);
  }

  /** See `Store.settle`. */
  settle(run: Run, settlements: readonly Settlement[]): Promise<boolean[]> {
    return inRounds(settlements, (round) => run(this.#settle, settleParams(round)));
  }

  /** See `Store.renew`. */
  renew(run: Run, leases: readonly Lease[], leaseUntilMs: number): Promise<boolean[]> {
    return inRounds(
      leases,
      (round) => run(this.#renew, [...leaseParams(round), Math.ceil(leaseUntilMs)]),
    );
  }
}

function leaseParams(leases: readonly Lease[]): Value[] {
  return [
    textArray(leases.map(({ key }) => key.id)),
    textArray(leases.map(({ key }) => key.group)),
    numberArray(leases.map(({ epoch }) => epoch)),
  ];
}

function settleParams(round: readonly Settlement[]): Value[] {
  const patches = round.map(({ patch }) => patch);
  return [
    ...leaseParams(round),
    booleanArray(round.map(({ claimed }) => claimed)),
    textArray(round.map(({ from }) => from)),
    textArray(patches.map(({ state }) => state)),
    numberArray(patches.map(({ attempts }) => attempts)),
    numberArray(patches.map(({ crashes }) => crashes)),
    numberArray(patches.map(({ dueAtMs }) => dueAtMs)),
    numberArray(patches.map(({ deadlineMs }) => deadlineMs)),
    numberArray(patches.map(({ expiresAtMs }) => expiresAtMs)),
    textArray(patches.map(({ reason }) => textOrNull(reason))),
    booleanArray(round.map(({ reply }) => reply !== undefined)),
    textArray(round.map(({ reply }) => textOrNull(reply ?? null))),
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

/** The arrays of {@linkcode leaseParams}. */
const LEASE_COLUMNS = [["id", "text"], ["subscriber_group", "text"], ["epoch", "integer"]] as const;

/** The arrays of {@linkcode settleParams}. */
const SETTLE_COLUMNS = [
  ...LEASE_COLUMNS,
  ["claimed", "boolean"],
  ["from_state", "text"],
  ["state", "text"],
  ["attempts", "integer"],
  ["crashes", "integer"],
  ["due_at_ms", "bigint"],
  ["deadline_ms", "bigint"],
  ["expires_at_ms", "bigint"],
  ["reason", "text"],
  ["replied", "boolean"],
  ["reply", "text"],
] as const;

const SAME_LEASE = "t.id = v.id and t.subscriber_group = v.subscriber_group and t.epoch = v.epoch";

function settleSql(table: Table): string {
  return `update ${table.name} as t
set state = v.state, attempts = v.attempts, crashes = v.crashes, due_at_ms = v.due_at_ms,
  deadline_ms = v.deadline_ms, expires_at_ms = v.expires_at_ms, reason = v.reason,
  reply = case when v.replied then v.reply else t.reply end, lease_until_ms = null
from ${unnested(SETTLE_COLUMNS)}
where ${SAME_LEASE} and t.state = v.from_state and (t.lease_until_ms is not null) = v.claimed
returning v.nth`;
}

function renewSql(table: Table): string {
  return `update ${table.name} as t
set lease_until_ms = $${LEASE_COLUMNS.length + 1}::text::bigint
from ${unnested(LEASE_COLUMNS)}
where ${SAME_LEASE} and t.lease_until_ms is not null
returning v.nth`;
}

function unnested(columns: readonly (readonly string[])[]): string {
  const arrays = columns.map(([, type], i) => `$${i + 1}::text::${type}[]`);
  const names = columns.map(([name]) => name);
  return `unnest(${arrays.join(", ")}) with ordinality as v (${names.join(", ")}, nth)`;
}

function textOrNull(text: string | null): string | null {
  return text === null ? null : storable(text);
}
