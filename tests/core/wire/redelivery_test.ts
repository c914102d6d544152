import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Failure } from "../../../core/lifecycle/lifecycle.ts";
import { attemptOf } from "../../../adapters/qstash/dialect/attempt.ts";
import { resultOfFailure } from "../../../core/wire/redelivery.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "../../../core/lifecycle/retry.ts";

const SECRET = "the handler's own words";

function failure(own: Partial<Failure> = {}): Failure {
  return { kind: "fail", reason: SECRET, retryable: true, ...own };
}

describe("which attempt a delivery is", () => {
  it("is one more than the deliverer's count of retries", () => {
    const counts: [string | null, number | null][] = [
      ["0", 1],
      ["1", 2],
      ["41", 42],
      [null, null],
      ["", null],
      ["-1", null],
      ["1.5", null],
      ["many", null],
      ["9999999999", null],
    ];
    for (const [retried, attempt] of counts) {
      const headers = new Headers(retried === null ? {} : { "Upstash-Retried": retried });
      assert.equal(attemptOf(headers), attempt, `${retried}`);
    }
  });
});

describe("what a receiver that keeps nothing says of a failure", () => {
  const list: RetryPolicy = { kind: "list", delaysMs: [5, 70] };
  const again = (retryAfterMs?: number) => ({
    kind: "refused",
    reason: "The handler failed",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
  const usedUp = { kind: "rejected", reason: "The attempts are used up" };

  it("is when its policy wants the next attempt, until the attempts are used up", () => {
    const said = [1, 2, 3, 4].map((attempt) => resultOfFailure(failure(), list, attempt, 0));
    assert.deepEqual(said, [again(5), again(70), usedUp, usedUp]);
    const cap = [1, 2, 3, 4, 49, 50].map((n) => resultOfFailure(failure(), DEFAULT_RETRY, n, 0));
    assert.deepEqual(cap, [
      again(0),
      again(0),
      again(240_000),
      again(60_000),
      again(60_000),
      usedUp,
    ]);
  });

  it("has the jitter of its policy", () => {
    const policy: RetryPolicy = {
      kind: "exponential",
      baseMs: 1000,
      capMs: 60_000,
      jitter: 1,
      maxAttempts: 9,
    };
    assert.deepEqual(resultOfFailure(failure(), policy, 2, 0.25), again(1500));
  });

  it("is the handler's own time, while attempts are left", () => {
    const chosen = (ms: number) => failure({ retryAfterMs: ms, delayedBy: "retry_after" });
    assert.deepEqual(resultOfFailure(chosen(142), list, 1, 0), again(142));
    assert.deepEqual(resultOfFailure(chosen(0), list, 2, 0), again(100));
    assert.deepEqual(resultOfFailure(chosen(142), list, 3, 0), usedUp);
    // A sender that keeps the schedule decides by it, and so is told who chose the time.
    const said = { ...again(142), code: "retry_after" };
    assert.deepEqual(resultOfFailure(chosen(142), list, null, 0), said);
  });

  it("is not sooner than the policy for the time of an answer", () => {
    assert.deepEqual(resultOfFailure(failure({ retryAfterMs: 0 }), list, 2, 0), again(70));
    assert.deepEqual(resultOfFailure(failure({ retryAfterMs: 99 }), list, 2, 0), again(99));
    const limited = failure({ retryAfterMs: 0, delayedBy: "rate_limit" });
    assert.deepEqual(resultOfFailure(limited, list, 2, 0), again(70));
    const said = { ...again(0), code: "rate_limit" };
    assert.deepEqual(resultOfFailure(limited, list, null, 0), said);
  });

  it("leaves the time to a deliverer that does not count", () => {
    assert.deepEqual(resultOfFailure(failure(), list, null, 0), again());
  });

  it("is never again for what is final, and tells nothing of the handler's words", () => {
    const said = resultOfFailure(failure({ retryable: false }), list, 1, 0);
    assert.deepEqual(said, { kind: "rejected", reason: "The handler failed for good" });
    const all = [said, ...[1, 3, null].map((n) => resultOfFailure(failure(), list, n, 0))];
    assert.ok(!JSON.stringify(all).includes(SECRET));
  });
});
