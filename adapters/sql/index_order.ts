/**
 * Conditions and limits that leave Postgres one sensible plan: to walk an index in its order and stop.
 *
 * Statistics of a queue are nearly always wrong: they were collected while it was empty and now it has a
 * backlog, or while all of it was claimed. If Postgres expects a few rows, it prefers to fetch them all and
 * sort them, and each claim then sorts the whole backlog: at a hundred thousand records that took ten times
 * as long as the claim itself. For an unknown limit Postgres expects to read a tenth of the rows, and it
 * expects these conditions to be true. So reading in index order always looks cheapest, and it is.
 *
 * @module
 */

/** A condition that Postgres expects to be true for nearly every row, whatever its statistics say. */
export function expected(condition: string): string {
  return `(${condition})::integer <> 0`;
}

/** A limit whose value Postgres does not know when it plans. */
export function limitOf(parameter: string): string {
  return `limit (select ${parameter}::text::bigint)`;
}
