import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  DEFAULT_RETRY,
  END_OF_TIME_MS,
  nextAttemptAt,
  NOTIFY_RETRY,
  type RetryPolicy,
} from "../../../core/lifecycle/retry.ts";
import { scheduleLength } from "../../../core/lifecycle/schedule_length.ts";

describe("how long a schedule goes on", () => {
  const policies: RetryPolicy[] = [
    DEFAULT_RETRY,
    NOTIFY_RETRY,
    { kind: "cap", immediateAttempts: 0, pauseMs: 9, intervalMs: 10, maxAttempts: 4 },
    { kind: "cap", immediateAttempts: 3, pauseMs: 9, intervalMs: 10, maxAttempts: 2 },
    { kind: "cap", immediateAttempts: 1, pauseMs: 9, intervalMs: 10, maxAttempts: 2 },
    { kind: "fixed", delayMs: 7, maxAttempts: 1 },
    { kind: "fixed", delayMs: 7, maxAttempts: 5 },
    { kind: "exponential", baseMs: 1, capMs: 1000, maxAttempts: 40 },
    { kind: "exponential", baseMs: 3, capMs: 1000, factor: 1, maxAttempts: 5, jitter: 1 },
    { kind: "exponential", baseMs: 50, capMs: 20, factor: 3, maxAttempts: 5 },
    { kind: "list", delaysMs: [] },
  ];
  for (const policy of policies) {
    it(`is what its delays add up to: ${JSON.stringify(policy)}`, () => {
      let nowMs = 0;
      for (let attempt = 1;; attempt++) {
        const next = nextAttemptAt(policy, attempt, nowMs, 0);
        if (next === null) break;
        nowMs = next;
      }
      assert.equal(scheduleLength(policy), nowMs);
    });
  }

  it("is bounded, and found at once, for one that never ends", () => {
    const policy = { kind: "fixed", delayMs: 9e15, maxAttempts: 9e15 } as const;
    assert.equal(scheduleLength(policy), END_OF_TIME_MS);
    const slow = { kind: "exponential", baseMs: 1, capMs: 1e9, factor: 1.0000001 } as const;
    assert.ok(scheduleLength({ ...slow, maxAttempts: 9e15 }) > 1e9);
  });
});
