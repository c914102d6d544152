/**
 * Conditions and limits that leave Postgres one sensible plan: to walk an index in its order and stop.
 *
 * Statistics of a queue are nearly always wrong: they were taken while it was empty, and now it has a
 * backlog, or while all of it was claimed. Where Postgres expects a handful of rows, it prefers to fetch
 * them all and sort them, and each claim then sorts the whole backlog: at a hundred thousand records that
 * took ten times as long as the claim itself. Of a limit it does not know it expects to stop after a tenth,
 * and of these conditions that they hold, so that walking in order always looks cheapest, as it is.
 *
 * @module
 */

/** A condition of which Postgres expects that nearly every row meets it, whatever its statistics say. */
export function expected(condition: string): string {
  return `(${condition})::integer <> 0`;
}

/**
 * The condition that a record is of one of the groups, to follow another condition; empty for all groups.
 *
 * @param parameter The number of the parameter with the groups.
 */
export function andGroupIn(groups: readonly string[] | undefined, parameter: number): string {
  if (groups === undefined) return "";
  return ` and ${expected(`subscriber_group = any($${parameter}::text::text[])`)}`;
}

/** A limit of which Postgres does not know how many rows it lets pass. */
export function limitOf(parameter: string): string {
  return `limit (select ${parameter}::text::bigint)`;
}
