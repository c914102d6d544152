/**
 * The options with which Postgres vacuums the tables.
 *
 * @module
 */

/**
 * Vacuum and analyze begin when a hundredth of a table has changed, instead of the server's fifth. Most rows of these
 * tables are history: with ten million of them the server would collect two million dead rows first. Chosen by
 * `deno task bench:table-options`; `docs/operations.md` has the figures.
 */
export const VACUUMED_EARLY =
  `autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.01,
  autovacuum_analyze_scale_factor = 0.02`;
