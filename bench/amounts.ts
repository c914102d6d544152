/**
 * How many messages and how much time each scenario takes, for a full run and for `--quick`.
 *
 * @module
 */

/** Messages that wait to be sent or handled. */
export interface Backlog {
  /** How many are handled before the measurement begins. */
  readonly warmUp: number;
  /** How many are handled during the measurement. */
  readonly messages: number;
}

/** The amounts of a run. */
export interface Amounts {
  /** How often each scenario is measured. */
  readonly runs: number;
  readonly backlog: Backlog;
  /** For handlers that write a row, and for slow subjects. */
  readonly slowBacklog: Backlog;
  /** How long a worker publishes, in milliseconds. */
  readonly publishMs: number;
  /** How long latency is measured, in milliseconds. */
  readonly latencyMs: number;
  /** How long an idle worker is measured, in milliseconds. */
  readonly idleMs: number;
  /** How long an idle worker runs before it is measured, in milliseconds. */
  readonly idleWarmUpMs: number;
  /** How many settled messages a grown fixture has; it has as many delayed ones. */
  readonly grown: number;
  /** How many expired messages are pruned. */
  readonly expired: number;
  /** How many messages are sent while a snapshot is open, before the measurement. */
  readonly snapshotMessages: number;
}

/** The amounts of a full run. */
export const FULL: Amounts = {
  runs: 3,
  backlog: { warmUp: 20_000, messages: 50_000 },
  slowBacklog: { warmUp: 8_000, messages: 16_000 },
  publishMs: 3_000,
  latencyMs: 10_000,
  idleMs: 60_000,
  idleWarmUpMs: 5_000,
  grown: 1_000_000,
  expired: 1_000_000,
  snapshotMessages: 150_000,
};

/** The amounts of `--quick`. */
export const QUICK: Amounts = {
  runs: 1,
  backlog: { warmUp: 500, messages: 1_000 },
  slowBacklog: { warmUp: 50, messages: 150 },
  publishMs: 100,
  latencyMs: 500,
  idleMs: 500,
  idleWarmUpMs: 100,
  grown: 2_000,
  expired: 3_000,
  snapshotMessages: 1_000,
};

/** How many messages one bulk publish has. */
export const BULK_SIZE = 1_000;
