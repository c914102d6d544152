/**
 * Records whose destination could not be reached. They are found through the index for claims, a page
 * at a time, because a separate index would make every insert and settlement slower.
 *
 * @module
 */
import { lookedTo, type WaitingPage } from "../../core/lifecycle/unreachable.ts";
import { expected, limitOf } from "./index_order.ts";
import { READ_STANDING, recordOf } from "./row.ts";
import type { Run } from "./run.ts";
import type { Table } from "./table.ts";

/** A quote in the text of another detail is escaped by a backslash, so no other text matches. */
const WAITS = `details like '%"unreachable":{%'`;
const FREE = "lease_until_ms is null";

/** See `StoreHints.findUnreachable`. */
export async function findUnreachable(
  run: Run,
  { name: table, box }: Table,
  afterMs: number,
  limit: number,
): Promise<WaitingPage> {
  const page = `select ctid as place, due_at_ms, details from ${table}
    where state = 'scheduled' and due_at_ms > $1::text::bigint and ${expected(FREE)}
    order by due_at_ms
    ${limitOf("$2")}`;
  const params = [Math.floor(afterMs), limit];
  const [row = []] = await run(
    `select count(*) as seen, min(due_at_ms) as first_ms, max(due_at_ms) as last_ms,
  count(*) filter (where ${WAITS}) as waiting
from (
    ${page}
) as page`,
    params,
  );
  const [count, firstMs, lastMs, waiting] = row.map(Number) as [number, number, number, number];
  const lookedToMs = count < limit ? null : lookedTo(firstMs, lastMs);
  if (!(waiting > 0)) return { records: [], lookedToMs };
  const rows = await run(
    `select ${READ_STANDING} from ${table}
where ctid = any(array(
    select place from (
    ${page}
    ) as page
    where ${WAITS}
  )) and state = 'scheduled' and ${FREE} and ${WAITS}
order by due_at_ms`,
    params,
  );
  return { records: rows.map((each) => recordOf(box, each)), lookedToMs };
}
