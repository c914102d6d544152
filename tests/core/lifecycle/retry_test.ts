import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  checkRetryPolicy,
  DEFAULT_RETRY,
  END_OF_TIME_MS,
  later,
  maxAttempts,
  nextAttemptAt,
  type RetryPolicy,
} from "../../../core/lifecycle/retry.ts";
import { holds } from "../../support/property.ts";

const NOW_MS = 1_764_000_000_000;

const delayMs = fc.oneof(fc.nat(), fc.double({ min: 0, max: END_OF_TIME_MS, noNaN: true }));
const count = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant(Number.MAX_SAFE_INTEGER));
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const attempt = fc.oneof(
  fc.integer({ min: 1, max: 200 }),
  fc.constantFrom(1e3, 1e9, 2 ** 31, Number.MAX_SAFE_INTEGER),
);

const growing = fc.record({
  kind: fc.constant("exponential" as const),
  baseMs: delayMs,
  factor: fc.oneof(fc.double({ min: 1, max: 10, noNaN: true }), fc.constantFrom(1e300, 1)),
  capMs: delayMs,
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  maxAttempts: count,
});

const policy: fc.Arbitrary<RetryPolicy> = fc.oneof(
  fc.record({
    kind: fc.constant("cap" as const),
    immediateAttempts: fc.nat(10),
    pauseMs: delayMs,
    intervalMs: delayMs,
    maxAttempts: count,
  }),
  fc.record({ kind: fc.constant("fixed" as const), delayMs, maxAttempts: count }),
  growing,
  fc.record({ kind: fc.constant("list" as const), delaysMs: fc.array(delayMs) }),
);

/** The delays between all attempts of a policy. */
function delaysOf(policy: RetryPolicy, random = 0): number[] {
  const delays: number[] = [];
  for (let attempt = 1;; attempt++) {
    const next = nextAttemptAt(policy, attempt, NOW_MS, random);
    if (next === null) return delays;
    delays.push(next - NOW_MS);
  }
}

describe("any retry policy", () => {
  it("gives a time from now on and within the calendar, at any attempt", () => {
    holds(
      fc.property(policy, attempt, random, (policy, attempt, random) => {
        checkRetryPolicy(policy);
        const next = nextAttemptAt(policy, attempt, NOW_MS, random);
        assert.equal(next === null, attempt >= maxAttempts(policy));
        if (next === null) return;
        assert.ok(next >= NOW_MS && next <= END_OF_TIME_MS, `${next}`);
      }),
      2000,
    );
  });

  it("does not go back even where now is past the end of the calendar", () => {
    assert.equal(later(END_OF_TIME_MS + 2, 1), END_OF_TIME_MS + 2);
  });

  it("takes a delay that makes no sense for none", () => {
    for (const delay of [-1, NaN, -Infinity]) assert.equal(later(NOW_MS, delay), NOW_MS);
    assert.equal(later(NOW_MS, Infinity), END_OF_TIME_MS);
  });

  it("stays total where a factor outgrows every number", () => {
    for (const baseMs of [0, 1, 1e15]) {
      const policy: RetryPolicy = {
        kind: "exponential",
        baseMs,
        factor: 1e300,
        capMs: 1000,
        jitter: 1,
        maxAttempts: 2e9,
      };
      for (const attempt of [1, 2, 3, 310, 1e9]) {
        const next = nextAttemptAt(policy, attempt, NOW_MS, 0.5)!;
        assert.ok(
          next >= NOW_MS && next <= NOW_MS + 1000,
          `base ${baseMs}, attempt ${attempt}: ${next}`,
        );
      }
    }
  });
});

describe("CAP's default", () => {
  it("is 3 attempts at once, then one after 4 minutes, then one a minute, 50 in all", () => {
    assert.equal(maxAttempts(DEFAULT_RETRY), 50);
    assert.deepEqual(delaysOf(DEFAULT_RETRY), [
      0,
      0,
      240_000,
      ...Array.from({ length: 46 }, () => 60_000),
    ]);
  });

  it("may have no attempts at once beyond the first", () => {
    const policy = { ...DEFAULT_RETRY, immediateAttempts: 1, maxAttempts: 3 } as RetryPolicy;
    assert.deepEqual(delaysOf(policy), [240_000, 60_000]);
  });
});

describe("the other policies", () => {
  it("fixed gives the same delay each time", () => {
    assert.deepEqual(delaysOf({ kind: "fixed", delayMs: 5, maxAttempts: 4 }), [5, 5, 5]);
    assert.deepEqual(delaysOf({ kind: "fixed", delayMs: 5, maxAttempts: 1 }), []);
  });

  it("list gives each delay once, and one attempt more than it is long", () => {
    assert.deepEqual(delaysOf({ kind: "list", delaysMs: [5, 0, 7] }), [5, 0, 7]);
    assert.equal(maxAttempts({ kind: "list", delaysMs: [] }), 1);
  });

  it("exponential doubles up to its cap unless told otherwise", () => {
    const doubling: RetryPolicy = { kind: "exponential", baseMs: 10, capMs: 70, maxAttempts: 6 };
    assert.deepEqual(delaysOf(doubling, 0.9), [10, 20, 40, 70, 70]);
    assert.deepEqual(delaysOf({ ...doubling, factor: 3 }), [10, 30, 70, 70, 70]);
  });

  it("exponential never shrinks without jitter", () => {
    holds(fc.property(growing, fc.integer({ min: 1, max: 2000 }), (policy, attempt) => {
      const still = { ...policy, jitter: 0, maxAttempts: 5000 };
      const now = nextAttemptAt(still, attempt, NOW_MS, 0)!;
      const next = nextAttemptAt(still, attempt + 1, NOW_MS, 0)!;
      assert.ok(next >= now);
      assert.ok(now <= later(NOW_MS, policy.capMs));
    }));
  });

  it("jitter takes from the delay its share and no more", () => {
    holds(fc.property(growing, attempt, random, (policy, attempt, random) => {
      const many = { ...policy, maxAttempts: Number.MAX_SAFE_INTEGER };
      if (attempt >= many.maxAttempts) return;
      const whole = nextAttemptAt({ ...many, jitter: 0 }, attempt, 0, random)!;
      const shaken = nextAttemptAt(many, attempt, 0, random)!;
      const least = whole * (1 - policy.jitter);
      // A rounding step is allowed for.
      assert.ok(shaken <= whole && shaken >= least - whole * 1e-12, `${least} ${shaken} ${whole}`);
    }));
  });

  it("full jitter reaches from nothing to the whole delay", () => {
    const policy: RetryPolicy = {
      kind: "exponential",
      baseMs: 1000,
      capMs: 1000,
      jitter: 1,
      maxAttempts: 9,
    };
    assert.equal(nextAttemptAt(policy, 1, NOW_MS, 0), NOW_MS + 1000);
    assert.ok(nextAttemptAt(policy, 1, NOW_MS, 0.9999)! < NOW_MS + 1);
  });
});

describe("a policy that makes no sense", () => {
  const cap = DEFAULT_RETRY;
  const fixed: RetryPolicy = { kind: "fixed", delayMs: 1, maxAttempts: 1 };
  const exponential: RetryPolicy = { kind: "exponential", baseMs: 1, capMs: 1, maxAttempts: 1 };
  const wrong: readonly (readonly [string, unknown])[] = [
    ["immediateAttempts", { ...cap, immediateAttempts: -1 }],
    ["immediateAttempts", { ...cap, immediateAttempts: 1.5 }],
    ["pauseMs", { ...cap, pauseMs: -1 }],
    ["intervalMs", { ...cap, intervalMs: NaN }],
    ["maxAttempts", { ...cap, maxAttempts: 0 }],
    ["delayMs", { ...fixed, delayMs: Infinity }],
    ["delayMs", { ...fixed, delayMs: "5" }],
    ["maxAttempts", { ...fixed, maxAttempts: Infinity }],
    ["maxAttempts", { kind: "fixed", delayMs: 1 }],
    ["baseMs", { ...exponential, baseMs: -5 }],
    ["capMs", { ...exponential, capMs: NaN }],
    ["factor", { ...exponential, factor: 0.5 }],
    ["factor", { ...exponential, factor: NaN }],
    ["jitter", { ...exponential, jitter: 1.1 }],
    ["jitter", { ...exponential, jitter: -0.1 }],
    ["maxAttempts", { ...exponential, maxAttempts: 1.5 }],
    ["delaysMs[1]", { kind: "list", delaysMs: [1, -1] }],
    ["hourly", { kind: "hourly" }],
  ];
  for (const [field, policy] of wrong) {
    it(`is refused with the name of its field: ${JSON.stringify(policy)}`, () => {
      assert.throws(() => checkRetryPolicy(policy as RetryPolicy), (error) => {
        const { code, message } = error as { code?: unknown; message: string };
        assert.equal(code, "invalid_option");
        assert.ok(message.includes(field) && message.includes("want"), message);
        return true;
      });
    });
  }

  it("is no policy that is offered", () => {
    for (const policy of [cap, fixed, exponential, { kind: "list", delaysMs: [] } as RetryPolicy]) {
      checkRetryPolicy(policy);
    }
  });
});
