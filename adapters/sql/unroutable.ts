/**
 * Records that wait for a route or a subscriber, and those that nobody takes.
 *
 * They are due soon, or due, so they are found among the first due records of each group, through the index for
 * claims. A separate index would make every insert and settlement slower.
 *
 * @module
 */
import type { UnroutableRequest } from "../../core/lifecycle/unroutable.ts";
import { UNROUTABLE_PAUSE_MS, UNROUTABLE_WINDOW } from "../../core/lifecycle/unroutable.ts";
import type { GroupNames, Untaken, UntakenRequest } from "../../core/ports/claim_request.ts";
import { textLiteral } from "./array_param.ts";
import { expected, limitOf } from "./index_order.ts";
import type { Run } from "./run.ts";
import { ofShare, shareParams, shareTable } from "./shares.ts";
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
  table: Table,
  { nowMs, untilMs, groups, isTaken }: UnroutableRequest,
): Promise<number> {
  if (groups?.length === 0) return 0;
  const rests = `state = 'scheduled' and due_at_ms > $1::text::bigint
    and due_at_ms <= $2::text::bigint`;
  const columns = "ctid as place, name, subscriber_group, details";
  const soonest = (first: number) =>
    soonestOf(table, columns, `${rests} and ${expected(FREE)}`, groups !== undefined, first);
  const times = [Math.ceil(nowMs), Math.ceil(untilMs)];
  const own = groups === undefined ? [] : shareParams(groups.map((group) => ({ group })));
  const rows = await run(
    `select distinct name, subscriber_group from (
    ${soonest(3)}
  ) as soonest where ${WAITS}`,
    [...times, ...own],
  );
  const taken = rows.map(([name, group]) => [String(name), String(group)] as const)
    .filter(([name, group]) => isTaken(name, group));
  if (taken.length === 0) return 0;
  const changed = await run(
    `update ${table.name} set due_at_ms = $1::text::bigint
where ctid = any(array(
    select ctid from ${table.name}
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
      ...own,
    ],
  );
  return changed.length;
}

/** See `StoreHints.untaken`. */
export async function untaken(
  run: Run,
  table: Table,
  { nowMs, groups }: UntakenRequest,
): Promise<Untaken[]> {
  if (groups?.length === 0) return [];
  const due = `state = 'scheduled' and due_at_ms <= $1::text::bigint`;
  const columns = "name, subscriber_group, due_at_ms, lease_until_ms, details";
  const rows = await run(
    `select subscriber_group, name, count(*), min(case when ${WAITS} then ${SINCE} else due_at_ms end)
from (
    ${soonestOf(table, columns, due, groups !== undefined, 2)}
  ) as earliest
group by subscriber_group, name
having bool_and(lease_until_ms is null or lease_until_ms <= $1::text::bigint)`,
    [
      Math.floor(nowMs),
      ...groups === undefined ? [] : shareParams(groups.map((group) => ({ group }))),
    ],
  );
  return rows.map(([group, name, count, sinceMs]) => ({
    group: String(group),
    name: String(name),
    count: Number(count),
    sinceMs: Number(sinceMs),
  }));
}

/** See `Store.nextDueAt`: a record that waits for a route counts as due when that wait ends. */
export async function nextDueAtTheLatest(
  run: Run,
  table: Table,
  nowMs: number,
  groups: readonly GroupNames[] | undefined,
  unroutableForMs: number,
): Promise<number | null> {
  if (groups?.length === 0) return null;
  const scheduled = "state = 'scheduled'";
  const latest = `subscriber_group, due_at_ms,
    case when due_at_ms > $1::text::bigint and ${WAITS}
      then greatest(due_at_ms, least(${SINCE} + $2::text::bigint, deadline_ms))
      else due_at_ms
    end as latest_ms`;
  const hasGroups = groups !== undefined;
  const [row] = await run(
    `with soonest as materialized (
  ${soonestOf(table, latest, `${scheduled} and ${expected(FREE)}`, hasGroups, 3)}
)
select least(
  (select min(latest_ms) from soonest),
  -- The records after those that were read are unknown.
  (
    select min(last_ms) from (
      select max(due_at_ms) as last_ms from soonest
      ${hasGroups ? "group by subscriber_group " : ""}having count(*) >= ${UNROUTABLE_WINDOW}
    ) as cut
  ),
  (
    ${hasGroups ? `with ${shareTable(3)}\n    ` : ""}select min(greatest(lease_until_ms, due_at_ms))
    from ${table.name}${hasGroups ? ", share" : ""}
    where ${scheduled} and lease_until_ms is not null${hasGroups ? ` and ${ofShare(table)}` : ""}
      -- A claimed record was due. The extra pause allows for clocks that differ.
      and due_at_ms <= $1::text::bigint + ${UNROUTABLE_PAUSE_MS}
  )
)`,
    [
      Math.ceil(nowMs),
      Math.ceil(unroutableForMs),
      ...(groups === undefined ? [] : shareParams(groups)),
    ],
  );
  const dueAtMs = row?.[0] ?? null;
  return dueAtMs === null ? null : Number(dueAtMs);
}

/**
 * The records that are due first, in all or of each group.
 *
 * @param first The number of the first parameter of the groups.
 */
function soonestOf(
  table: Table,
  columns: string,
  condition: string,
  hasGroups: boolean,
  first: number,
): string {
  const soonest = (of: string) =>
    `select ${columns} from ${table.name}
    where ${condition}${of}
    order by due_at_ms
    ${WINDOW}`;
  if (!hasGroups) return soonest("");
  return `with ${shareTable(first)}
    select soonest.* from share, lateral (
    ${soonest(` and ${ofShare(table)}`)}
    ) as soonest`;
}
