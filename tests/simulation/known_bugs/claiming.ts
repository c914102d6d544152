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
    within: 200,
  },
  {
    name: "crash not counted",
    wrong: "A claim that takes over a lease does not count the crash.",
    edits: [{
      file: "adapters/memory/memory_store.ts",
      find: "const crashes = record.crashes + (died ? 1 : 0);",
      replace: "const crashes = record.crashes;",
    }],
    within: 100,
  },
  {
    name: "crash limit ignored",
    wrong: "A message that kills each of its workers is claimed again and again.",
    edits: [{
      file: "core/lifecycle/before_attempt.ts",
      find: 'if (crashes >= MAX_CRASHES) return { kind: "crash_limit" };',
      replace: "",
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
    within: 200,
  },
  {
    name: "settled from another state",
    wrong: "A settlement applies although the state has changed since it was decided.",
    edits: [{
      file: "adapters/memory/writes.ts",
      find: "return record.epoch === epoch && record.state === from &&",
      replace: "return record.epoch === epoch &&",
    }],
    within: 200,
  },
  {
    name: "settled by anyone",
    wrong: "A change for a free record applies to a claimed one.",
    edits: [{
      file: "adapters/memory/writes.ts",
      find:
        '(guard === "anyone" || (guard === "holder") === (record.leaseUntilMs !== null));',
      replace: "true;",
    }],
    within: 200,
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
    name: "lease of others renewed",
    wrong: "A worker renews a lease that another one has taken over.",
    edits: [{
      file: "adapters/memory/memory_store.ts",
      find: "record === undefined || record.epoch !== epoch || record.leaseUntilMs === null",
      replace: "record === undefined || record.leaseUntilMs === null",
    }],
    within: 200,
  },
  {
    name: "work after the lease",
    wrong: "A worker begins a message although its lease has run out.",
    edits: [{
      file: "bus/consume/early_end.ts",
      find: "if (!leases.isLeased(record)) return",
      replace: "if (false) return",
    }],
    within: 200,
  },
  {
    name: "a claim ignores leases",
    wrong: "A claim takes messages that others have claimed.",
    edits: [{
      file: "adapters/memory/records.ts",
      find: "return Math.max(record.dueAtMs, record.leaseUntilMs ?? record.dueAtMs);",
      replace: "return record.dueAtMs;",
    }],
    within: 200,
  },
  {
    name: "delay ignored",
    wrong: "A delayed message is sent at once.",
    edits: [{
      file: "bus/publish/publisher.ts",
      find: "return newRecord(message, { dueAtMs, deadlineMs, retry, hasNewKey });",
      replace:
        "return newRecord(message, { dueAtMs: message.sentAtMs, deadlineMs, retry, hasNewKey });",
    }],
    within: 200,
  },
  {
    name: "stop without release",
    wrong: "A stopping bus keeps the leases of what it has not begun.",
    edits: [{
      file: "bus/work/work_loop.ts",
      find:
        'if (records.length > 0) await this.#observed("release", this.#source.release(records));',
      replace: "",
    }],
    within: 200,
  },
  {
    name: "wake-up lost",
    wrong: "A wake-up that comes while a loop is awake is lost.",
    edits: [{
      file: "bus/work/wake_signal.ts",
      find: "this.#pending = true;\n    this.#wakeUp?.();",
      replace: "this.#wakeUp?.();",
    }],
    within: 200,
  },
  {
    name: "repeated settlement counts as applied",
    wrong: "A settlement that was repeated counts as applied, although it was stale.",
    edits: [{
      file: "bus/records/until_settled.ts",
      find: "applied[i] === true || await isSettled(store, decision)",
      replace: "true",
    }],
    within: 200,
  },
];
