/**
 * What is measured, of whom and how much.
 *
 * @module
 */
import type { SubjectName } from "./subjects/registry.ts";

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
    /** Whether many messages may be handled in one transaction, by those who offer it. */
    readonly batched: boolean;
    readonly amount: "backlog" | "slowBacklog";
  }
  /** Publishes and works off in one process. */
  | { readonly kind: "whole"; readonly records: 1 | 2 }
  /** Publishes at an even pace and handles, in so many processes, by a handler that gets a transaction or none. */
  | { readonly kind: "latency"; readonly processes: 1 | 2; readonly inTransaction: boolean }
  /** Runs a worker that has nothing to do. */
  | { readonly kind: "idle" }
  /** Publishes while another process cleans up. */
  | { readonly kind: "prune"; readonly concurrency: number }
  /** Decides without a store, for a time or to see what it allocates. */
  | { readonly kind: "core"; readonly what: "rate" | "bytes" }
  | { readonly kind: "edge" }
  /** Has messages go their whole way over the proxy of Upstash Redis, for a time or to count commands. */
  | { readonly kind: "upstash-redis"; readonly what: "rate" | "commands" }
  /** Has messages go their whole way on PGlite. */
  | { readonly kind: "pglite" };

/** What else there is in the database. */
export type Ground = "empty" | "grown" | "expired" | "snapshot";

/** One line of the results, or two where one measurement gives two. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly load: Load;
  readonly ground: Ground;
  readonly subjects: readonly SubjectName[];
  /** The name of the line of the second value, if a measurement gives two. */
  readonly second?: string;
  /** What the two values are called in the table. */
  readonly labels?: readonly [first: string, second: string];
  /** The scenario that runs just before, for the share of it that is left. */
  readonly control?: string;
}

/** Messages that wait to be handled. */
export interface Backlog {
  /** How many are handled before the time is taken. */
  readonly warmUp: number;
  /** How many are handled while it is taken. */
  readonly messages: number;
}

/** How much of everything. */
export interface Amounts {
  readonly runs: number;
  readonly backlog: Backlog;
  /** Where handlers write or are given a transaction each, and of subjects that are slow. */
  readonly slowBacklog: Backlog;
  /** How long publishing goes on, in milliseconds. */
  readonly publishMs: number;
  /** How long latency is watched, in milliseconds. */
  readonly latencyMs: number;
  /** How long a worker without work is watched, in milliseconds. */
  readonly idleMs: number;
  /** How long it has run before that, in milliseconds. */
  readonly restMs: number;
  /** Settled messages kept, and as many delayed ones. */
  readonly grown: number;
  /** Expired messages that are to be deleted. */
  readonly expired: number;
  /** Messages that pass while a snapshot is held open. */
  readonly passed: number;
}

export const FULL: Amounts = {
  runs: 3,
  backlog: { warmUp: 20_000, messages: 50_000 },
  slowBacklog: { warmUp: 4_000, messages: 12_000 },
  publishMs: 3_000,
  latencyMs: 10_000,
  idleMs: 60_000,
  restMs: 5_000,
  grown: 1_000_000,
  expired: 1_000_000,
  passed: 150_000,
};

export const QUICK: Amounts = {
  runs: 1,
  backlog: { warmUp: 500, messages: 1_000 },
  slowBacklog: { warmUp: 50, messages: 150 },
  publishMs: 100,
  latencyMs: 500,
  idleMs: 500,
  restMs: 100,
  grown: 2_000,
  expired: 3_000,
  passed: 1_000,
};

/** Messages in one bulk publish. */
export const BULK = 1_000;

/** Units of which less is better. */
const COSTS: readonly string[] = ["ms", "statements/min", "bytes/call", "commands"];

/** Whether less of a unit is better. */
export function isLessBetter(unit: string): boolean {
  return COSTS.includes(unit);
}

/** Those with an outbox or a queue in the database, and an inbox or what one writes in its place. */
const QUEUES: readonly SubjectName[] = ["atlast", "ref", "pg-boss", "graphile-worker"];
const DATABASES: readonly SubjectName[] = [...QUEUES, "pg-transactional-outbox"];
const EVERYONE: readonly SubjectName[] = [...DATABASES, "bullmq"];
const RATE = "messages/s";

const drain = {
  kind: "drain",
  side: "outbox",
  workers: 1,
  effect: false,
  batched: true,
  amount: "backlog",
} as const;
const writing = { ...drain, side: "inbox", effect: true, amount: "slowBacklog" } as const;

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
  scenario("drain-inbox-single", "The same, with a transaction for each message", {
    ...drain,
    side: "inbox",
    batched: false,
    amount: "slowBacklog",
  }, QUEUES),
  scenario("end-to-end", "Publish in bulk and handle in one process", {
    kind: "whole",
    records: 1,
  }, [...QUEUES, "bullmq"]),
  scenario("end-to-end-sent", "The same by an outbox, a transport and an inbox: two records", {
    kind: "whole",
    records: 2,
  }, ["atlast"]),
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
  latency("latency", "Publish to handler, 100 a second, two processes", 2, EVERYONE),
  {
    ...latency(
      "latency-plain",
      "The same, to a handler that wants no transaction, as those of peers",
      2,
      ["atlast"],
    ),
    load: { kind: "latency", processes: 2, inTransaction: false },
  },
  latency("latency-in-process", "Publish to handler, 100 a second, one process", 1, QUEUES),
  {
    ...scenario("idle-statements", "Statements of a worker with nothing due", {
      kind: "idle",
    }, DATABASES),
    unit: "statements/min",
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
    ...scenario("prune-beside-publish", "Publish, 10 at once, while a million are cleaned up", {
      kind: "prune",
      concurrency: 10,
    }, ["atlast"]),
    unit: "of the rate without",
    ground: "expired",
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
  scenario(
    "exactly-once",
    "Handlers that write in one transaction with their mark, many together where offered",
    writing,
    QUEUES,
  ),
  scenario(
    "exactly-once-single",
    "Handlers that write, each in a transaction of its own with its mark",
    { ...writing, batched: false },
    QUEUES,
  ),
  {
    ...scenario("core-transition", "Decide what becomes of a message, one core", {
      kind: "core",
      what: "rate",
    }, ["atlast"]),
    unit: "decisions/s",
  },
  {
    ...scenario("core-transition-bytes", "What a decision allocates", {
      kind: "core",
      what: "bytes",
    }, ["atlast"]),
    unit: "bytes/call",
    second: "core-next-attempt-bytes",
    labels: ["transition", "nextAttemptAt"],
  },
  {
    ...scenario("edge-deliver", "Signed requests through the delivery route; ref: a bare route", {
      kind: "edge",
    }, ["atlast", "ref"]),
    unit: "requests/s",
  },
  scenario("redis-end-to-end", "Upstash Redis: store and streams, two services", {
    kind: "upstash-redis",
    what: "rate",
  }, ["atlast"]),
  {
    ...scenario("redis-commands", "Upstash Redis: what is billed, at a batch of 50", {
      kind: "upstash-redis",
      what: "commands",
    }, ["atlast"]),
    unit: "commands",
    second: "redis-idle-commands",
    labels: ["a message's whole life", "an idle tick"],
  },
  scenario("pglite-end-to-end", "PGlite: publish in bulk and handle in one process", {
    kind: "pglite",
  }, ["atlast"]),
];

function latency(
  name: string,
  title: string,
  processes: 1 | 2,
  subjects: readonly SubjectName[],
): Scenario {
  return {
    ...scenario(
      `${name}-p50`,
      title,
      { kind: "latency", processes, inTransaction: true },
      subjects,
    ),
    unit: "ms",
    second: `${name}-p99`,
    labels: ["p50", "p99"],
  };
}

function scenario(
  name: string,
  title: string,
  load: Load,
  subjects: readonly SubjectName[],
): Scenario {
  return { name, title, unit: RATE, load, ground: "empty", subjects };
}
