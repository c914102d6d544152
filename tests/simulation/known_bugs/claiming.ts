/**
 * Bugs of claims, leases and settlements.
 *
 * @module
 */
import type { KnownBug } from "./known_bug.ts";

/** They let two workers work on one message, or none. */
export const CLAIMING: readonly KnownBug[] = [
  {
    name: "lease without expiry",
    wrong: "The lease of a dead worker never ends.",
    edits: [{
      file: "adapters/memory/records.ts",
      find: "return Math.max(record.dueAtMs, record.leaseUntilMs ?? record.dueAtMs);",
      replace: "return record.leaseUntilMs === null ? record.dueAtMs : Infinity;",
    }],
    within: 20,
  },
  {
    name: "takeover under the same epoch",
    wrong: "A claim that takes over a lease does not raise the epoch.",
    edits: [{
      file: "adapters/memory/memory_store.ts",
      find: "epoch: record.epoch + 1,",
      replace: "epoch: record.epoch + (died ? 0 : 1),",
    }],
    within: 100,
  },
  {
    name: "crash not counted",
    wrong: "A claim that takes over a lease does not count the crash.",
    edits: [{
      file: "adapters/memory/memory_store.ts",
      find: "const crashes = record.crashes + (died ? 1 : 0);",
      replace: "const crashes = record.crashes;",
    }],
    within: 200,
  },
  {
    name: "settled without the epoch",
    wrong: "A worker whose lease was taken over settles the message of the other one.",
    edits: [{
      file: "adapters/memory/writes.ts",
      find: "return record.epoch === epoch && record.state === from &&",
      replace: "return record.state === from &&",
    }],
    within: 400,
  },
  {
    name: "lease kept by a settlement",
    wrong: "A settled record keeps its lease.",
    edits: [{
      file: "adapters/memory/writes.ts",
      find: "leaseUntilMs: null,\n  });\n  return true;",
      replace: "leaseUntilMs: record.leaseUntilMs,\n  });\n  return true;",
    }],
    within: 20,
  },
  {
    name: "a claim ignores leases",
    wrong: "A claim takes messages that others have claimed.",
    edits: [{
      file: "adapters/memory/records.ts",
      find: "return Math.max(record.dueAtMs, record.leaseUntilMs ?? record.dueAtMs);",
      replace: "return record.dueAtMs;",
    }],
    within: 50,
  },
];
