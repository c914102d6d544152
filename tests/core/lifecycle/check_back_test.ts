import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  checkCheckPolicy,
  type CheckPolicy,
  decideCheck,
  DEFAULT_CHECK,
  firstCheckAt,
  type HalfStanding,
  isCheckedTooEarly,
} from "../../../core/lifecycle/check_back.ts";
import {
  DEFAULT_POLICY,
  type LifecycleEvent,
  transition,
} from "../../../core/lifecycle/lifecycle.ts";
import { END_OF_TIME_MS } from "../../../core/lifecycle/retry.ts";
import { holds } from "../../support/property.ts";

const NOW_MS = 1_764_000_000_000;

const HALF: HalfStanding = { checks: 0, unreachable: 0, sentAtMs: NOW_MS - 3_600_000 };

const anyHalf = fc.record({
  checks: fc.nat(100),
  unreachable: fc.nat(2000),
  // Clocks of services differ: a message may come from the future.
  sentAtMs: fc.integer({ min: NOW_MS - 1e9, max: NOW_MS + 1e9 }),
});
const anyPolicy = fc.record({
  immunityMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
  intervalMs: fc.double({ min: 1, noNaN: true, noDefaultInfinity: true }),
  intervalCapMs: fc.double({ min: 1, max: 1e9, noNaN: true }),
  maxChecks: fc.integer({ min: 1, max: 100 }),
  unreachableMs: fc.double({ min: 1, noNaN: true, noDefaultInfinity: true }),
  unreachableCapMs: fc.double({ min: 1, max: 1e9, noNaN: true }),
});
const anyAnswer: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom("committed", "aborted", "unknown", "unreachable"),
  fc.anything(),
);
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** What an answer makes of a half message that is past its immunity. */
function decided(answer: unknown, half: Partial<HalfStanding> = {}): LifecycleEvent {
  return decideCheck({ ...HALF, ...half }, answer, DEFAULT_CHECK, NOW_MS, 0);
}

describe("an answer", () => {
  it("decides only if it is committed or aborted", () => {
    assert.deepEqual(decided("committed"), { kind: "confirm" });
    assert.deepEqual(decided("aborted"), { kind: "cancel" });
    holds(
      fc.property(anyHalf, anyAnswer, anyPolicy, random, (half, answer, policy, chance) => {
        const { kind } = decideCheck(half, answer, policy, NOW_MS, chance);
        assert.equal(kind === "confirm", answer === "committed");
        assert.equal(kind === "cancel", answer === "aborted");
      }),
      2000,
    );
  });

  it("that is none counts as unknown", () => {
    const illegal = [
      null,
      undefined,
      "",
      "COMMITTED",
      " committed",
      "rolled back",
      true,
      200,
      ["committed"],
      { answer: "committed" },
      new String("committed"),
      "<html>committed</html>",
    ];
    const unknown = decided("unknown");
    for (const answer of illegal) assert.deepEqual(decided(answer), unknown);
  });

  it("leads to a step that a half message has", () => {
    holds(
      fc.property(anyHalf, anyAnswer, anyPolicy, random, (half, answer, policy, chance) => {
        const event = decideCheck(half, answer, policy, NOW_MS, chance);
        const standing = {
          ...half,
          box: "outbox",
          state: "prepared",
          attempts: 0,
          crashes: 0,
          dueAtMs: NOW_MS,
          deadlineMs: null,
          note: null,
          details: null,
        } as const;
        const patch = transition(standing, event, DEFAULT_POLICY, NOW_MS, chance);
        assert.ok(Number.isFinite(patch.dueAtMs));
      }),
    );
  });
});

describe("a participant that does not answer", () => {
  it("never uses up checks, and is never given up", () => {
    holds(
      fc.property(anyHalf, anyPolicy, random, (half, policy, chance) => {
        const event = decideCheck(half, "unreachable", policy, NOW_MS, chance);
        assert.ok(event.kind === "check_again");
        assert.equal(event.checks, half.checks);
        assert.equal(event.unreachable, half.unreachable + 1);
      }),
      1000,
    );
  });

  it("is asked after twice the time each, up to the cap", () => {
    const delays = [0, 1, 2, 3, 5, 6, 7, 5000].map((unreachable) => {
      const event = decided("unreachable", { unreachable });
      assert.ok(event.kind === "check_again");
      return event.atMs - NOW_MS;
    });
    assert.deepEqual(delays, [1000, 2000, 4000, 8000, 32_000, 60_000, 60_000, 60_000]);
  });

  it("is counted from the start again once it answers", () => {
    const event = decided("unknown", { unreachable: 9 });
    assert.ok(event.kind === "check_again");
    assert.equal(event.unreachable, 0);
  });
});

describe("a participant that cannot say", () => {
  it("is asked maxChecks times, and then the message is parked", () => {
    holds(
      fc.property(anyPolicy, random, (policy, chance) => {
        let half: HalfStanding = { ...HALF, sentAtMs: NOW_MS - 1e10 };
        for (let asked = 1;; asked++) {
          const event = decideCheck(half, "unknown", policy, NOW_MS, chance);
          if (event.kind === "park") {
            assert.equal(asked, policy.maxChecks);
            assert.match(event.reason, new RegExp(`, ${asked} times$`));
            return;
          }
          assert.ok(event.kind === "check_again");
          assert.equal(event.checks, asked);
          half = { ...half, checks: event.checks, unreachable: event.unreachable };
        }
      }),
    );
  });

  it("parks one that has used up more than its checks, as after a change of policy", () => {
    assert.equal(decided("unknown", { checks: 99 }).kind, "park");
  });

  it("is asked after twice the time each, up to the cap", () => {
    const delays = [0, 1, 2, 5, 6, 13].map((checks) => {
      const event = decided("unknown", { checks });
      assert.ok(event.kind === "check_again");
      return event.atMs - NOW_MS;
    });
    assert.deepEqual(delays, [10_000, 20_000, 40_000, 320_000, 600_000, 600_000]);
  });
});

describe("the next check", () => {
  it("is never before now, never later than its cap, and less than a fifth is chance", () => {
    holds(
      fc.property(anyHalf, anyAnswer, anyPolicy, random, (half, answer, policy, chance) => {
        const event = decideCheck(half, answer, policy, NOW_MS, chance);
        if (event.kind !== "check_again") return;
        assert.ok(event.atMs >= NOW_MS && event.atMs <= END_OF_TIME_MS);
        const immuneUntilMs = firstCheckAt(policy, half.sentAtMs);
        const capMs = answer === "unreachable" ? policy.unreachableCapMs : policy.intervalCapMs;
        assert.ok(event.atMs <= Math.max(NOW_MS + capMs, immuneUntilMs));
        const whole = decideCheck(half, answer, policy, NOW_MS, 0);
        assert.ok(whole.kind === "check_again" && event.atMs <= whole.atMs);
        // A rounding step is allowed for.
        assert.ok(event.atMs - NOW_MS >= (whole.atMs - NOW_MS) * 0.8 - 1);
      }),
      2000,
    );
  });
});

describe("immunity", () => {
  it("has a question that comes before it is over count as too early, and one that is not dated", () => {
    const isTooEarly = (preparedAtMs?: number, checkedAtMs?: number) =>
      isCheckedTooEarly({
        ...preparedAtMs === undefined ? {} : { preparedAtMs },
        ...checkedAtMs === undefined ? {} : { checkedAtMs },
      }, 10);
    assert.ok(isTooEarly(NOW_MS, NOW_MS + 9));
    assert.ok(!isTooEarly(NOW_MS, NOW_MS + 10));
    assert.ok(isTooEarly(NOW_MS, Number.NaN));
    assert.ok(isTooEarly(undefined, NOW_MS));
    assert.ok(isTooEarly(NOW_MS));
    assert.ok(isTooEarly());
  });

  const young: HalfStanding = { checks: 0, unreachable: 0, sentAtMs: NOW_MS - 4_000 };

  it("puts the first check off", () => {
    assert.equal(firstCheckAt(DEFAULT_CHECK, NOW_MS), NOW_MS + 10_000);
    assert.equal(firstCheckAt({ ...DEFAULT_CHECK, immunityMs: Infinity }, NOW_MS), END_OF_TIME_MS);
  });

  it("keeps an answer that cannot say yet from counting", () => {
    const event = decideCheck(young, "unknown", DEFAULT_CHECK, NOW_MS, 0.5);
    assert.ok(event.kind === "check_again");
    assert.deepEqual([event.checks, event.atMs], [0, NOW_MS + 6_000]);
    const later = decideCheck(young, "unknown", DEFAULT_CHECK, NOW_MS + 6_000, 0);
    assert.ok(later.kind === "check_again");
    assert.equal(later.checks, 1);
  });

  it("does not hold an answer up that decides", () => {
    assert.deepEqual(decideCheck(young, "committed", DEFAULT_CHECK, NOW_MS, 0), {
      kind: "confirm",
    });
    assert.deepEqual(decideCheck(young, "aborted", DEFAULT_CHECK, NOW_MS, 0), { kind: "cancel" });
  });

  it("never counts or parks within it, whatever comes", () => {
    holds(
      fc.property(anyHalf, anyPolicy, random, (half, policy, chance) => {
        const event = decideCheck(half, "unknown", policy, NOW_MS, chance);
        if (NOW_MS >= firstCheckAt(policy, half.sentAtMs)) return;
        assert.ok(event.kind === "check_again");
        assert.equal(event.checks, half.checks);
      }),
      1000,
    );
  });
});

describe("a check policy", () => {
  it("that makes no sense is refused with the name of its field", () => {
    for (const field of Object.keys(DEFAULT_CHECK) as (keyof CheckPolicy)[]) {
      for (const value of [-1, NaN, "5" as unknown as number, null as unknown as number]) {
        assert.throws(
          () => checkCheckPolicy({ ...DEFAULT_CHECK, [field]: value }),
          (error: Error & { code?: string }) => {
            assert.equal(error.code, "invalid_option");
            assert.ok(error.message.includes(field) && error.message.includes("want"));
            return true;
          },
        );
      }
    }
    assert.throws(() => checkCheckPolicy({ ...DEFAULT_CHECK, maxChecks: 0 }));
  });

  it("is right as it is by default, and with no immunity", () => {
    checkCheckPolicy(DEFAULT_CHECK);
    checkCheckPolicy({ ...DEFAULT_CHECK, immunityMs: 0 });
  });
});
