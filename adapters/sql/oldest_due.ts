/**
 * The messages of the inbox that have been due the longest, through the index for claims.
 *
 * @module
 */
import {
  type DueMessages,
  OLDEST_DUE_WINDOW,
  type OldestDueRequest,
} from "../../core/ports/oldest_due.ts";
import { limitOf } from "./index_order.ts";
import type { Run } from "./run.ts";
import type { Table } from "./table.ts";

/** See `StoreHints.oldestDue`. */
export async function oldestDue(
  run: Run,
  { name: table }: Table,
  { nowMs, dueSinceMs }: OldestDueRequest,
): Promise<DueMessages[]> {
  const rows = await run(
    // Each step finds the next group in the index, whose order is by group.
    `with recursive own(group_name) as (
  (
    select subscriber_group from ${table} where state = 'scheduled'
    order by subscriber_group limit 1
  )
  union all
  select (
    select subscriber_group from ${table}
    where state = 'scheduled' and subscriber_group > own.group_name
    order by subscriber_group limit 1
  ) from own where own.group_name is not null
)
select name, subscriber_group, count(*), min(due_at_ms),
  coalesce(bool_or(lease_until_ms > $2::text::bigint), false)
from own, lateral (
  select name, subscriber_group, due_at_ms, lease_until_ms from ${table}
  where state = 'scheduled' and subscriber_group = own.group_name
    and due_at_ms <= $1::text::bigint
  order by due_at_ms
  ${limitOf(`'${OLDEST_DUE_WINDOW}'`)}
) as oldest
group by name, subscriber_group
order by 4`,
    [Math.floor(dueSinceMs), Math.ceil(nowMs)],
  );
  return rows.map(([name, group, count, sinceMs, isClaimed]) => ({
    name: String(name),
    group: String(group),
    count: Number(count),
    sinceMs: Number(sinceMs),
    isClaimed: isClaimed === true || isClaimed === "t",
  }));
}
