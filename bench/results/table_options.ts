/**
 * The content of `table_options.json`, which `bench/table_options.ts` writes.
 *
 * @module
 */

/** How large the tables grow, and how fast statements are, with each candidate of autovacuum options. */
export interface TableOptionsResults {
  readonly machine: string;
  /** The version of Postgres. */
  readonly postgres: string;
  /** How long messages were sent and handled. */
  readonly minutes: number;
  /** Messages a second. */
  readonly rate: number;
  /** How many settled messages each table had at the start. */
  readonly history: number;
  readonly runs: readonly TableOptionsRun[];
}

/** One candidate. */
export interface TableOptionsRun {
  readonly name: string;
  readonly options: readonly string[];
  /** How often both tables were vacuumed. */
  readonly autovacuums: number;
  readonly start: readonly TableSize[];
  readonly end: readonly TableSize[];
  /** In the first ten minutes, or the first quarter of a shorter measurement. */
  readonly first: StatementTimes;
  /** In the last ten minutes, or the last quarter. */
  readonly last: StatementTimes;
}

/** One table. */
export interface TableSize {
  readonly table: string;
  readonly liveRows: number;
  readonly deadRows: number;
  readonly tableBytes: number;
  readonly indexBytes: number;
}

/** The mean time of a statement, in milliseconds; null if there was none. */
export interface StatementTimes {
  readonly claimMs: number | null;
  readonly settleMs: number | null;
  readonly insertMs: number | null;
  readonly pruneMs: number | null;
}
