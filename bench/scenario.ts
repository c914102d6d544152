/**
 * What a scenario is: what is measured, on which fixture and for which subjects. `plan.ts` lists the
 * scenarios, and `scenarios/` has the code that measures each kind of workload.
 *
 * @module
 */
import type { SubjectName } from "./subjects/registry.ts";

/** What the workers of a scenario do while it is measured. */
export type Workload =
  /** One worker publishes for a fixed time, with so many calls at once. */
  | {
    readonly kind: "publish";
    /** One message a call, many messages a call, or one message in each business transaction. */
    readonly mode: "one" | "many" | "transaction";
    readonly concurrency: number;
  }
  /** Workers send or handle the messages that wait in the outbox or the inbox. */
  | {
    readonly kind: "drain";
    readonly box: "outbox" | "inbox";
    readonly workers: number;
    /** Whether the handler writes a row that must be there exactly once. */
    readonly writesRow: boolean;
    /** Whether subjects that offer it may handle many messages in one transaction. */
    readonly batched: boolean;
    /** Which of the {@linkcode Amounts} says how many messages wait. */
    readonly backlog: "backlog" | "slowBacklog";
  }
  /** One worker publishes in bulk and handles the messages, each kept as one record or two. */
  | { readonly kind: "end-to-end"; readonly records: 1 | 2 }
  /** Messages are published at a steady rate and handled, by one worker or by two. */
  | {
    readonly kind: "latency";
    readonly processes: 1 | 2;
    /** Whether the handler is given a transaction. */
    readonly inTransaction: boolean;
  }
  /** A worker runs and no message is due. */
  | { readonly kind: "idle" }
  /** One worker publishes while another prunes. */
  | { readonly kind: "prune"; readonly concurrency: number }
  /** The pure core is called without a store: calls a second, or bytes allocated in a call. */
  | { readonly kind: "core"; readonly figure: "rate" | "bytes" }
  /** Signed requests are delivered to the edge app. */
  | { readonly kind: "edge" }
  /** Two services exchange messages on Upstash Redis: messages a second, or billed commands. */
  | { readonly kind: "upstash-redis"; readonly figure: "rate" | "commands" }
  /** One service publishes and handles on PGlite. */
  | { readonly kind: "pglite" };

/**
 * What the database holds before the measurement.
 *
 * - `empty`: the tables of the subject.
 * - `grown`: many settled and many delayed messages as well.
 * - `expired`: many settled messages that are past their expiry.
 * - `snapshot`: an open transaction that keeps the dead rows of earlier messages from being vacuumed.
 */
export type FixtureKind = "empty" | "grown" | "expired" | "snapshot";

/** A scenario. It gives one line of the results, or two if a measurement gives two values. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly workload: Workload;
  readonly fixture: FixtureKind;
  readonly subjects: readonly SubjectName[];
  /** The name of the second value's line, if a measurement gives two. */
  readonly second?: string;
  /** The column heads of the two values. */
  readonly labels?: readonly [first: string, second: string];
  /** A scenario that is measured just before this one, so that the report can show the ratio. */
  readonly control?: string;
}

/** The units in which a smaller value is better. */
const LESS_IS_BETTER: readonly string[] = ["ms", "statements/min", "bytes/call", "commands"];

/** Whether a smaller value is better in this unit. */
export function isLessBetter(unit: string): boolean {
  return LESS_IS_BETTER.includes(unit);
}
