/**
 * What is measured, of whom and how much.
 *
 * @module
 */
import type { SubjectName } from "./subjects/load.ts";

/** What a measuring process does. */
export type Load =
  /** Publishes for a time, so many at once. */
  | {
    readonly kind: "publish";
    readonly how: "one" | "many" | "transaction";
    readonly concurrency: number;
  }
  /** Works off a backlog. */
  | {
    readonly kind: "drain";
    readonly side: "outbox" | "inbox";
    readonly workers: number;
    readonly effect: boolean;
  }
  /** Publishes and works off in one process. */
  | { readonly kind: "whole" }
  /** Publishes in one process at an even pace, handles in another. */
  | { readonly kind: "latency" }
  | { readonly kind: "core" }
  | { readonly kind: "edge" };

/** What else there is in the database. */
export type Ground = "empty" | "grown" | "snapshot";

/** One line of the results, or two where one measurement gives two. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly load: Load;
  readonly ground: Ground;
  readonly subjects: readonly SubjectName[];
  /** What `second` value is called, if a measurement gives two. */
  readonly second?: string;
  /** The scenario that runs just before, for the share of it that is left. */
  readonly control?: string;
}

/** How much of everything. */
export interface Amounts {
  readonly runs: number;
  /** Messages of a backlog. */
  readonly backlog: number;
  /** Messages of a backlog whose handlers write. */
  readonly effects: number;
  /** How long publishing goes on, in milliseconds. */
  readonly publishMs: number;
  /** How long latency is watched, in milliseconds. */
  readonly latencyMs: number;
  /** Settled messages kept, and as many delayed ones. */
  readonly grown: number;
  /** Messages that pass while a snapshot is held open. */
  readonly passed: number;
}

export const FULL: Amounts = {
  runs: 3,
  backlog: 50_000,
  effects: 5_000,
  publishMs: 3_000,
  latencyMs: 20_000,
  grown: 1_000_000,
  passed: 150_000,
};

export const QUICK: Amounts = {
  runs: 1,
  backlog: 1_000,
  effects: 200,
  publishMs: 100,
  latencyMs: 500,
  grown: 2_000,
  passed: 2_000,
};

/** Messages in one bulk publish. */
export const BULK = 1_000;

const EVERYONE: readonly SubjectName[] = [
  "atlast",
  "ref",
  "pg-boss",
  "graphile-worker",
  "pg-transactional-outbox",
  "bullmq",
];
const DATABASES = EVERYONE.slice(0, 5);
const QUEUES = EVERYONE.slice(0, 4);
const RATE = "messages/s";

const drain = { kind: "drain", side: "outbox", workers: 1, effect: false } as const;

export const SCENARIOS: readonly Scenario[] = [
  scenario(
    "drain-outbox",
    "Drain a backlog: outbox to a transport that does nothing",
    drain,
    EVERYONE,
  ),
  scenario("drain-inbox", "Drain a backlog: inbox to a handler that does nothing", {
    ...drain,
    side: "inbox",
  }, QUEUES),
  scenario("end-to-end", "Publish in bulk and handle in one process", { kind: "whole" }, [
    ...QUEUES,
    "bullmq",
  ]),
  ...[1, 10, 50].map((concurrency) =>
    scenario(
      `publish-${concurrency}`,
      `Publish one by one, ${concurrency} at once`,
      { kind: "publish", how: "one", concurrency },
      EVERYONE,
    )
  ),
  ...[1, 4].map((concurrency) =>
    scenario(
      `bulk-${concurrency}`,
      `Publish 1,000 a call, ${concurrency} at once`,
      { kind: "publish", how: "many", concurrency },
      EVERYONE,
    )
  ),
  {
    ...scenario(
      "tx-10",
      "Business transactions with a message in each, 10 at once",
      { kind: "publish", how: "transaction", concurrency: 10 },
      DATABASES,
    ),
    unit: "transactions/s",
  },
  {
    ...scenario("latency-p50", "Publish to handler, 100 a second, two processes", {
      kind: "latency",
    }, EVERYONE),
    unit: "ms",
    second: "latency-p99",
  },
  {
    ...scenario(
      "drain-outbox-grown",
      "Drain beside a million settled and a million delayed",
      drain,
      QUEUES,
    ),
    ground: "grown",
    control: "drain-outbox",
  },
  {
    ...scenario(
      "drain-outbox-snapshot",
      "Drain after 150,000 passed under an open snapshot",
      drain,
      QUEUES,
    ),
    ground: "snapshot",
    control: "drain-outbox",
  },
  {
    ...scenario(
      "publish-grown",
      "Publish, 10 at once, beside a million settled and a million delayed",
      { kind: "publish", how: "one", concurrency: 10 },
      QUEUES,
    ),
    ground: "grown",
    control: "publish-10",
  },
  {
    ...scenario(
      "drain-2-workers",
      "Drain a backlog by two processes",
      { ...drain, workers: 2 },
      QUEUES,
    ),
    control: "drain-outbox",
  },
  scenario("exactly-once", "Handlers that write in one transaction with their mark", {
    ...drain,
    side: "inbox",
    effect: true,
  }, QUEUES),
  {
    ...scenario("core-transition", "Decide what becomes of a message, one core", { kind: "core" }, [
      "atlast",
    ]),
    unit: "decisions/s",
  },
  {
    ...scenario("edge-deliver", "Signed requests through the delivery route; ref: a bare route", {
      kind: "edge",
    }, ["atlast", "ref"]),
    unit: "requests/s",
  },
];

function scenario(
  name: string,
  title: string,
  load: Load,
  subjects: readonly SubjectName[],
): Scenario {
  return { name, title, unit: RATE, load, ground: "empty", subjects };
}
