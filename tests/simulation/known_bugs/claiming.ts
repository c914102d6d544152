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
    within: 20,
  },
  {
    name: "crash not counted",
    wrong: "A claim that takes over a lease does not count the crash.",
    edits: [{
      file: "adapters/memory/memory_store.ts",
      find: "const crashes = record.crashes + (died ? 1 : 0);",
      replace: "const crashes = record.crashes;",
    }],
    within: 20,
  },
  {
    name: "settled without the epoch",
    wrong: "A worker whose lease was taken over settles the message of the other one.",
    edits: [{
      file: "adapters/memory/writes.ts",
      find: "return record.epoch === epoch && record.state === from &&",
      replace: "return record.state === from &&",
    }],
    within: 300,
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
    within: 20,
  },
  {
    name: "crash limit ignored",
    wrong: "A message that kills each of its workers is claimed again and again.",
    edits: [{
      file: "core/lifecycle/before_attempt.ts",
      find: 'if (crashes >= MAX_CRASHES) return { kind: "crash_limit" };',
      replace: "",
    }],
    within: 20,
  },
  {
    name: "settled from another state",
    wrong: "A settlement applies although the state has changed since it was decided.",
    edits: [{
      file: "adapters/memory/writes.ts",
      find: "return record.epoch === epoch && record.state === from &&",
      replace: "return record.epoch === epoch &&",
    }],
    within: 150,
  },
  {
    name: "unsettled records expire",
    wrong: "A record that waits for its next attempt may be deleted a minute later.",
    edits: [{
      file: "core/lifecycle/lifecycle.ts",
      find: "return patchOf(message, message.state, message.attempts, null, null);",
      replace:
        "return patchOf(message, message.state, message.attempts, message.dueAtMs + 60_000, null);",
    }],
    within: 20,
  },
  {
    name: "settled records never expire",
    wrong: "A record that succeeded stays for ever.",
    edits: [{
      file: "core/lifecycle/lifecycle.ts",
      find: "expiresAt(nowMs, policy.expiry.succeededMs),",
      replace: "null,",
    }],
    within: 20,
  },
  {
    name: "claim not synced",
    wrong: "A crash of the database forgets claims, so nobody knows of a send that took place.",
    edits: [{
      file: "tests/simulation/faults/database.ts",
      find: 'const isUnsynced = kind === "renewed" ||',
      replace: 'const isUnsynced = kind === "renewed" || kind === "claimed" ||',
    }],
    within: 600,
  },
  {
    name: "a stop keeps leases",
    wrong: "A bus that stops does not release what it has claimed and not begun.",
    edits: [{
      file: "bus/consume/consumer.ts",
      find: "if (early !== null) return await this.#settle(record, early);",
      replace: "if (early !== null && this.#parts.draining()) return ACCEPTED;\n" +
        "      if (early !== null) return await this.#settle(record, early);",
    }],
    within: 600,
  },
  {
    name: "the handler's own time is ignored",
    wrong: "A handler that throws `RetryAfter` is tried again at once.",
    edits: [{
      file: "core/lifecycle/next_attempt.ts",
      find: "const { retryAfterMs = 0 } = failure;",
      replace: "const retryAfterMs = 0;",
    }],
    within: 300,
  },
];
