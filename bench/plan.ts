/**
 * The scenarios of the bench, in the order in which they are measured and reported.
 *
 * @module
 */
import type { Scenario, Workload } from "./scenario.ts";
import type { SubjectName } from "./subjects/registry.ts";

/** Subjects that keep received messages in the database: in an inbox, or in a queue. */
const QUEUES: readonly SubjectName[] = ["atlast", "ref", "pg-boss", "graphile-worker"];
const ON_POSTGRES: readonly SubjectName[] = [...QUEUES, "pg-transactional-outbox"];
const ALL: readonly SubjectName[] = [...ON_POSTGRES, "bullmq"];
const MESSAGES_PER_SECOND = "messages/s";

const DRAIN_OUTBOX = {
  kind: "drain",
  box: "outbox",
  workers: 1,
  writesRow: false,
  batched: true,
  backlog: "backlog",
} as const;
const DRAIN_AND_WRITE = {
  ...DRAIN_OUTBOX,
  box: "inbox",
  writesRow: true,
  backlog: "slowBacklog",
} as const;

export const SCENARIOS: readonly Scenario[] = [
  createScenario(
    "drain-outbox",
    "Drain the outbox to a transport that does nothing",
    DRAIN_OUTBOX,
    ALL,
  ),
  createScenario("drain-inbox", "Drain the inbox to a handler that does nothing", {
    ...DRAIN_OUTBOX,
    box: "inbox",
  }, QUEUES),
  createScenario("drain-inbox-single", "Drain the inbox, each message by itself", {
    ...DRAIN_OUTBOX,
    box: "inbox",
    batched: false,
  }, QUEUES),
  createScenario("end-to-end", "Publish in bulk and handle in one process", {
    kind: "end-to-end",
    records: 1,
  }, [...QUEUES, "bullmq"]),
  createScenario(
    "end-to-end-sent",
    "Publish in bulk and handle in one process, from outbox to inbox (two records)",
    { kind: "end-to-end", records: 2 },
    ["atlast"],
  ),
  ...[1, 10, 50].map((concurrency) =>
    createScenario(
      `publish-${concurrency}`,
      `Publish 1 message in each call, ${describeConcurrency(concurrency)}`,
      { kind: "publish", mode: "one", concurrency },
      ALL,
    )
  ),
  ...[1, 4].map((concurrency) =>
    createScenario(
      `bulk-${concurrency}`,
      `Publish 1,000 messages in each call, ${describeConcurrency(concurrency)}`,
      { kind: "publish", mode: "many", concurrency },
      ALL,
    )
  ),
  {
    ...createScenario(
      "tx-10",
      "Business transactions that publish one message each, 10 at once",
      { kind: "publish", mode: "transaction", concurrency: 10 },
      ON_POSTGRES,
    ),
    unit: "transactions/s",
  },
  createLatencyScenario(
    "latency",
    "From publish to handler at 100 messages/s, two processes",
    { kind: "latency", processes: 2, inTransaction: true },
    ALL,
  ),
  createLatencyScenario(
    "latency-plain",
    "From publish to a handler without a transaction at 100 messages/s, two processes",
    { kind: "latency", processes: 2, inTransaction: false },
    ["atlast"],
  ),
  createLatencyScenario(
    "latency-in-process",
    "From publish to handler at 100 messages/s, one process",
    { kind: "latency", processes: 1, inTransaction: true },
    QUEUES,
  ),
  {
    ...createScenario("idle-statements", "Statements of an idle worker", {
      kind: "idle",
    }, ON_POSTGRES),
    unit: "statements/min",
  },
  {
    ...createScenario(
      "drain-outbox-grown",
      "Drain the outbox beside a million settled and a million delayed messages",
      DRAIN_OUTBOX,
      QUEUES,
    ),
    fixture: "grown",
    control: "drain-outbox",
  },
  {
    ...createScenario(
      "drain-outbox-snapshot",
      "Drain the outbox after 150,000 messages were sent under an open snapshot",
      DRAIN_OUTBOX,
      QUEUES,
    ),
    fixture: "snapshot",
    control: "drain-outbox",
  },
  {
    ...createScenario(
      "publish-grown",
      "Publish, 10 calls at once, beside a million settled and a million delayed messages",
      { kind: "publish", mode: "one", concurrency: 10 },
      QUEUES,
    ),
    fixture: "grown",
    control: "publish-10",
  },
  {
    ...createScenario(
      "prune-beside-publish",
      "Publish, 10 calls at once, while a million messages are pruned",
      { kind: "prune", concurrency: 10 },
      ["atlast"],
    ),
    unit: "of the rate without",
    fixture: "expired",
  },
  {
    ...createScenario(
      "drain-2-workers",
      "Drain the outbox with two workers",
      { ...DRAIN_OUTBOX, workers: 2 },
      QUEUES,
    ),
    control: "drain-outbox",
  },
  createScenario(
    "exactly-once",
    "Handlers that write in the transaction of their inbox record, in batches where offered",
    DRAIN_AND_WRITE,
    QUEUES,
  ),
  createScenario(
    "exactly-once-single",
    "Handlers that write in the transaction of their inbox record, one for each message",
    { ...DRAIN_AND_WRITE, batched: false },
    QUEUES,
  ),
  {
    ...createScenario("core-transition", "Decide the next state of a message, on one core", {
      kind: "core",
      figure: "rate",
    }, ["atlast"]),
    unit: "decisions/s",
  },
  {
    ...createScenario("core-transition-bytes", "Memory that one decision allocates", {
      kind: "core",
      figure: "bytes",
    }, ["atlast"]),
    unit: "bytes/call",
    second: "core-next-attempt-bytes",
    labels: ["transition", "nextAttemptAt"],
  },
  {
    ...createScenario(
      "edge-deliver",
      "Signed requests to the delivery route; by hand: to a route that only verifies",
      { kind: "edge" },
      ["atlast", "ref"],
    ),
    unit: "requests/s",
  },
  createScenario("redis-end-to-end", "Upstash Redis: store and streams, two services", {
    kind: "upstash-redis",
    figure: "rate",
  }, ["atlast"]),
  {
    ...createScenario("redis-commands", "Upstash Redis: billed commands in batches of 50", {
      kind: "upstash-redis",
      figure: "commands",
    }, ["atlast"]),
    unit: "commands",
    second: "redis-idle-commands",
    labels: ["one message, end to end", "an idle tick"],
  },
  createScenario("pglite-end-to-end", "PGlite: publish in bulk and handle in one process", {
    kind: "pglite",
  }, ["atlast"]),
];

function createLatencyScenario(
  name: string,
  title: string,
  workload: Workload,
  subjects: readonly SubjectName[],
): Scenario {
  return {
    ...createScenario(`${name}-p50`, title, workload, subjects),
    unit: "ms",
    second: `${name}-p99`,
    labels: ["p50", "p99"],
  };
}

function createScenario(
  name: string,
  title: string,
  workload: Workload,
  subjects: readonly SubjectName[],
): Scenario {
  return { name, title, unit: MESSAGES_PER_SECOND, workload, fixture: "empty", subjects };
}

function describeConcurrency(calls: number): string {
  return calls === 1 ? "one call at a time" : `${calls} calls at once`;
}
