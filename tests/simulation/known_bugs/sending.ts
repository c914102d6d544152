/**
 * Bugs of sending.
 *
 * @module
 */
import type { KnownBug } from "./known_bug.ts";

/** They count messages as sent that were not, or send them too often. */
export const SENDING: readonly KnownBug[] = [
  {
    name: "part of a batch counted as sent",
    wrong: "A failed message of a batch gets the result of the first one.",
    edits: [{
      file: "bus/dispatch/dispatcher.ts",
      find: "const result = sendResultAt(results, i);",
      replace: "const result = sendResultAt(results, 0);",
    }],
    within: 100,
  },
  {
    name: "no answer counted as sent",
    wrong: "A send that fails counts as sent.",
    edits: [{
      file: "bus/dispatch/dispatcher.ts",
      find: '({ kind: "failed", reason: reasonOf(thrown), retryable: true })',
      replace: '({ kind: "sent" })',
    }],
    within: 50,
  },
  {
    name: "aborted send counted as sent",
    wrong: "A send that the stopping bus aborted counts as sent.",
    edits: [{
      file: "bus/dispatch/send_event.ts",
      find: 'if (isAborted) return { kind: "release", delayMs: 0, mayHaveArrived };',
      replace: 'if (isAborted) return { kind: "succeed" };',
    }],
    within: 200,
  },
  {
    name: "an unanswered send has not arrived",
    wrong: "A message whose send got no answer counts as one that has not arrived.",
    edits: [{
      file: "bus/dispatch/send_event.ts",
      find: "const mayHaveArrived = result === undefined || !hasNotArrived(result);",
      replace: "const mayHaveArrived = false;",
    }],
    within: 50,
  },
  {
    name: "attempts without a limit",
    wrong: "A message is tried again after its attempts are used up.",
    edits: [{
      file: "core/lifecycle/retry.ts",
      find: 'return policy.kind === "list" ? policy.delaysMs.length + 1 : policy.maxAttempts;',
      replace: "return Infinity;",
    }],
    within: 50,
  },
  {
    name: "accepted while stopping",
    wrong: "A stopping bus says that it accepted a message, and drops it.",
    edits: [{
      file: "bus/service_bus.ts",
      find: "return messages.map(() => BUS_STOPPING);",
      replace: 'return messages.map(() => ({ kind: "accepted" }));',
    }],
    within: 100,
  },
];
