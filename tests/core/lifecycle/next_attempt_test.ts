import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  MAX_POSTPONED,
  MIN_RETRY_AFTER_MS,
  nextAttempt,
} from "../../../core/lifecycle/next_attempt.ts";
import { DEFAULT_RETRY, nextAttemptAt, type RetryPolicy } from "../../../core/lifecycle/retry.ts";
import { DEFAULT_POLICY, type Standing, transition } from "../../../core/lifecycle/lifecycle.ts";
import { holds } from "../../support/property.ts";

const NOW_MS = 1_764_000_000_000;

const delayMs = fc.nat(10 * 60_000);
const policy: fc.Arbitrary<RetryPolicy> = fc.oneof(
  fc.constant(DEFAULT_RETRY),
  fc.record({ kind: fc.constant("fixed" as const), delayMs, maxAttempts: fc.nat(60) }),
  fc.record({ kind: fc.constant("list" as const), delaysMs: fc.array(delayMs, { maxLength: 5 }) }),
  fc.record({
    kind: fc.constant("exponential" as const),
    baseMs: delayMs,
    capMs: delayMs,
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    maxAttempts: fc.integer({ min: 1, max: 60 }),
  }),
);
const before = fc.record({
  attempts: fc.nat(60),
  details: fc.record({ postponed: fc.nat(2 * MAX_POSTPONED) }),
});
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
// What a receiver may say: nothing, at once, a time in the past, very long.
const retryAfterMs = fc.oneof(
  fc.constantFrom(0, -5, -3_600_000, 3_600_000, Infinity),
  fc.integer({ min: -1_000, max: 1_000_000 }),
);

describe("when a message is tried again", () => {
  it("the time in an answer never shortens the schedule, and its attempt counts", () => {
    holds(fc.property(policy, before, retryAfterMs, random, (retry, ended, waitMs, chance) => {
      const { isCounted, atMs } = nextAttempt(
        { retryable: true, retryAfterMs: waitMs },
        ended,
        retry,
        NOW_MS,
        chance,
      );
      const scheduledAtMs = nextAttemptAt(retry, ended.attempts + 1, NOW_MS, chance);
      assert.equal(isCounted, true);
      assert.equal(atMs === null, scheduledAtMs === null);
      if (atMs === null || scheduledAtMs === null) return;
      assert.ok(atMs >= scheduledAtMs);
      assert.ok(atMs >= Math.min(NOW_MS + waitMs, 8.64e15));
      if (waitMs <= 0) assert.equal(atMs, scheduledAtMs);
    }));
  });

  it("a handler's own time counts an attempt unless it is later than the schedule's", () => {
    holds(fc.property(policy, before, retryAfterMs, random, (retry, ended, waitMs, chance) => {
      const failure = { retryable: true, retryAfterMs: waitMs, delayedBy: "retry_after" } as const;
      const { isCounted, atMs } = nextAttempt(failure, ended, retry, NOW_MS, chance);
      const scheduledAtMs = nextAttemptAt(retry, ended.attempts + 1, NOW_MS, chance);
      const isLater = scheduledAtMs !== null && NOW_MS + waitMs > scheduledAtMs;
      if (isLater) assert.equal(isCounted, ended.details.postponed >= MAX_POSTPONED);
      else if (scheduledAtMs !== null) assert.equal(isCounted, true);
      assert.equal(atMs === null, isCounted && scheduledAtMs === null);
      if (atMs === null) return;
      assert.equal(atMs, Math.min(NOW_MS + Math.max(waitMs, MIN_RETRY_AFTER_MS), 8.64e15));
    }));
  });

  it("a rate limit counts no attempt a bounded number of times, and is never tried at once", () => {
    holds(fc.property(policy, before, retryAfterMs, random, (retry, ended, waitMs, chance) => {
      const failure = { retryable: true, retryAfterMs: waitMs, delayedBy: "rate_limit" } as const;
      const { isCounted, atMs } = nextAttempt(failure, ended, retry, NOW_MS, chance);
      assert.equal(isCounted, ended.details.postponed >= MAX_POSTPONED);
      if (isCounted) return;
      assert.ok(atMs !== null && atMs >= NOW_MS + 1_000);
      assert.ok(atMs >= (nextAttemptAt(retry, ended.attempts + 1, NOW_MS, chance) ?? 0));
      assert.ok(atMs >= Math.min(NOW_MS + waitMs, 8.64e15));
    }));
  });

  it("a final failure is final, whatever asks for a later attempt", () => {
    for (const delayedBy of ["retry_after", "rate_limit"] as const) {
      const failure = { retryable: false, retryAfterMs: 5, delayedBy };
      const ended = { attempts: 0, details: null };
      const next = nextAttempt(failure, ended, DEFAULT_RETRY, NOW_MS, 0);
      assert.deepEqual(next, { isCounted: true, atMs: null });
    }
  });

  it("every message ends: after 100 that count none, the others count", () => {
    for (const delayedBy of ["retry_after", "rate_limit"] as const) {
      const failure = { reason: "busy", retryable: true, retryAfterMs: 3_600_000, delayedBy };
      let record: Standing = {
        box: "outbox",
        state: "scheduled",
        attempts: 0,
        crashes: 0,
        dueAtMs: NOW_MS,
        deadlineMs: null,
        checks: 0,
        unreachable: 0,
        note: null,
        details: null,
      };
      const counts: number[] = [];
      while (record.state === "scheduled") {
        const event = { kind: "fail", ...failure } as const;
        const patch = transition(record, event, DEFAULT_POLICY, record.dueAtMs, 0);
        counts.push(patch.attempts);
        record = { box: "outbox", ...patch };
      }
      assert.equal(record.state, "failed");
      assert.deepEqual(counts.slice(0, MAX_POSTPONED), Array(MAX_POSTPONED).fill(0));
      assert.deepEqual(counts.slice(MAX_POSTPONED), Array.from({ length: 50 }, (_, i) => i + 1));
      assert.equal(record.details?.postponed, MAX_POSTPONED);
      const again = transition(record, { kind: "retry" }, DEFAULT_POLICY, NOW_MS, 0);
      assert.equal(again.details?.postponed, undefined);
    }
  });

  it("one whose later attempt would come after its deadline ends there, and counts", () => {
    const record: Standing = {
      box: "inbox",
      state: "scheduled",
      attempts: 0,
      crashes: 0,
      dueAtMs: NOW_MS,
      deadlineMs: NOW_MS + 10_000,
      checks: 0,
      unreachable: 0,
      note: null,
      details: null,
    };
    const limited = { kind: "fail", reason: "busy", retryable: true, delayedBy: "rate_limit" };
    const at = (retryAfterMs: number) =>
      transition(record, { ...limited, retryAfterMs } as never, DEFAULT_POLICY, NOW_MS, 0);
    assert.deepEqual([at(10_000).state, at(10_000).attempts], ["scheduled", 0]);
    assert.deepEqual([at(10_001).state, at(10_001).attempts], ["failed", 1]);
  });
});
