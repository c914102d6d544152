/**
 * Bugs of half messages.
 *
 * @module
 */
import type { KnownBug } from "./known_bug.ts";

/** They cancel messages whose operation committed, or send those whose operation did not. */
export const HALF_MESSAGES: readonly KnownBug[] = [
  {
    name: "unknown counts as aborted",
    wrong: "A check-back cancels a message whose operation is still open.",
    edits: [{
      file: "core/lifecycle/check_back.ts",
      find: 'if (answer === "aborted") return',
      replace: 'if (answer === "aborted" || answer === "unknown") return',
    }],
    within: 300,
  },
  {
    name: "check-back without the fence",
    wrong: "A check-back answers `aborted` without writing that into the fence.",
    edits: [{
      file: "adapters/memory/memory_fence.ts",
      find: 'this.#rows.set(id, { outcome: "aborted", writtenAtMs: this.#now() });',
      replace: "",
    }],
    within: 1000,
  },
  {
    name: "check-back reads what is not committed",
    wrong: "A check-back answers `committed` while the operation is still open.",
    edits: [{
      file: "adapters/memory/memory_fence.ts",
      find: "if (signal.aborted || this.#open.has(id)) return",
      replace: "if (signal.aborted) return",
    }],
    within: 150,
  },
  {
    name: "operation without its fence row",
    wrong: "An operation commits without writing `committed` into the fence.",
    edits: [{
      file: "bus/half/participant.ts",
      find: "await half.fence(tx);",
      replace: "",
    }],
    within: 150,
  },
  {
    name: "an error counts as aborted",
    wrong:
      "An operation whose commit got no answer counts as aborted, without a look at the fence.",
    edits: [{
      file: "bus/half/participant.ts",
      find: "return { ...await half.cancel(), error };",
      replace: 'return { ...await settled(parts, half.id, "aborted"), error };',
    }],
    within: 300,
  },
  {
    name: "sent before its outcome",
    wrong: "A half message is stored like one that is delayed for the immunity.",
    edits: [{
      file: "bus/half/outbox_keeper.ts",
      find: 'state: "prepared",\n    };\n    checkCallerId',
      replace: 'state: "scheduled",\n    };\n    checkCallerId',
    }],
    within: 20,
  },
  {
    name: "decided by hand against the fence",
    wrong: "An operator may decide against the answer of the participant.",
    edits: [{
      file: "bus/half/resolve_by_hand.ts",
      find: "mustNotContradict(attempt, answer);",
      replace: "",
    }],
    within: 50,
  },
];
