/**
 * Records that wait for a route or a subscriber.
 *
 * They are due soon, so they are found among the first due records, through the index for claims. A separate
 * index would make every insert and settlement slower.
 *
 * @module
 */
import type { UnroutableRequest } from "../../core/lifecycle/unroutable.ts";
import { UNROUTABLE_PAUSE_MS, UNROUTABLE_WINDOW } from "../../core/lifecycle/unroutable.ts";
import { textLiteral } from "./array_param.ts";
import { andGroupIn, expected, limitOf } from "./index_order.ts";
import type { Run } from "./run.ts";
import type { Table } from "./table.ts";
import { UNHURRIED } from "./async_commit.ts";

/** A quote in the text of another detail is escaped by a backslash, so no other text matches. */
const WAITS = `details like '%"unroutableSinceMs":%'`;
const SINCE = `substring(details from '"unroutableSinceMs":([0-9]{1,15})')::bigint`;
const WINDOW = limitOf(`'${UNROUTABLE_WINDOW}'`);
/** It has no lease. */
const FREE = "lease_until_ms is null";

/** See `Store.makeUnroutableDue`. */
export async function makeUnroutableDue(
  run: Run,
  { name: table }: Table,
  { nowMs, untilMs, groups, isTaken }: UnroutableRequest,
): Promise<number> {
  if (groups?.length === 0) return 0;
  const rests = `state = 'scheduled' and due_at_ms > $1::text::bigint
    and due_at_ms <= $2::text::bigint`;
  const soonest = (groupsAt: number) =>
    `select ctid as place, name, subscriber_group, details from ${table}
    where ${rests} and ${expected(FREE)}${andGroupIn(groups, groupsAt)}
    order by due_at_ms
    ${WINDOW}`;
  const times = [Math.ceil(nowMs), Math.ceil(untilMs)];
  const groupsHere = groups === undefined ? [] : [textLiteral(groups)];
  const rows = await run(
    `select distinct name, subscriber_group from (
    ${soonest(3)}
  ) as soonest where ${WAITS}`,
    [...times, ...groupsHere],
  );
  const taken = rows.map(([name, group]) => [String(name), String(group)] as const)
    .filter(([name, group]) => isTaken(name, group));
  if (taken.length === 0) return 0;
  const changed = await run(
    `update ${table} set due_at_ms = $1::text::bigint
where ctid = any(array(
    select ctid from ${table}
    where ctid = any(array(
        select place from (
    ${soonest(5)}
        ) as soonest
        where ${WAITS} and (name, subscriber_group) in (
          select * from unnest($3::text::text[], $4::text::text[])
        )
      )) and ${rests} and ${FREE} and ${WAITS}
    for update skip locked
  )) and ${UNHURRIED}
returning 1`,
    [
      ...times,
      textLiteral(taken.map(([name]) => name)),
      textLiteral(taken.map(([, group]) => group)),
      ...groupsHere,
    ],
  );
  return changed.length;
}

/** See `Store.nextDueAt`: a record that waits for a route counts as due when that wait ends. */
export async function nextDueAtTheLatest(
  run: Run,
  { name: table }: Table,
  nowMs: number,
  groups: readonly string[] | undefined,
  unroutableForMs: number,
): Promise<number | null> {
  if (groups?.length === 0) return null;
  const scheduled = `state = 'scheduled'${andGroupIn(groups, 3)}`;
  const [row] = await run(
    `with soonest as materialized (
  select due_at_ms,
    case when due_at_ms > $1::text::bigint and ${WAITS}
      then greatest(due_at_ms, least(${SINCE} + $2::text::bigint, deadline_ms))
      else due_at_ms
    end as latest_ms
  from ${table}
  where ${scheduled} and ${expected(FREE)}
  order by due_at_ms
  ${WINDOW}
)
select least(
  (select min(latest_ms) from soonest),
  -- The records after those that were read are unknown.
  (select max(due_at_ms) from soonest having count(*) >= ${UNROUTABLE_WINDOW}),
  (
    select min(greatest(lease_until_ms, due_at_ms)) from ${table}
    where ${scheduled} and lease_until_ms is not null
      -- A claimed record was due. The extra pause allows for clocks that differ.
      and due_at_ms <= $1::text::bigint + ${UNROUTABLE_PAUSE_MS}
  )
)`,
    [
      Math.ceil(nowMs),
      Math.ceil(unroutableForMs),
      ...(groups === undefined ? [] : [textLiteral(groups)]),
    ],
  );
  const dueAtMs = row?.[0] ?? null;
  return dueAtMs === null ? null : Number(dueAtMs);
}
