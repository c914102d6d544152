import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { AtlastError } from "../../../core/errors.ts";
import { DEFAULT_EXPIRY } from "../../../core/lifecycle/expiry.ts";
import {
  type Box,
  DEFAULT_POLICY,
  type EventKind,
  isSettled,
  type LifecycleEvent,
  type LifecyclePolicy,
  type Patch,
  type Standing,
  type State,
  transition,
  TRANSITIONS,
} from "../../../core/lifecycle/lifecycle.ts";
import { holds } from "../../support/property.ts";

const NOW_MS = 1_000_000;

const STATES: readonly State[] = [
  "prepared",
  "scheduled",
  "succeeded",
  "failed",
  "cancelled",
  "in_doubt",
];

const EVENTS: Readonly<Record<EventKind, LifecycleEvent>> = {
  confirm: { kind: "confirm" },
  cancel: { kind: "cancel" },
  check_again: {
    kind: "check_again",
    atMs: NOW_MS + 700,
    checks: 4,
    unreachable: 2,
    reason: "did not answer",
  },
  park: { kind: "park", reason: "checks used up" },
  succeed: { kind: "succeed" },
  fail: { kind: "fail", reason: "Error-->no", retryable: true },
  crash_limit: { kind: "crash_limit" },
  deadline_exceeded: { kind: "deadline_exceeded" },
  dead_letter: { kind: "dead_letter", reason: "QStash gave it up" },
  release: { kind: "release", delayMs: 500 },
  stopping: { kind: "stopping", reason: "it is stopping", delayMs: 1_000 },
  unroutable: { kind: "unroutable", reason: "no route", delayMs: 30_000, forMs: 60_000 },
  send_now: { kind: "send_now", reason: "Error-->no" },
  resume: { kind: "resume", atMs: NOW_MS, reason: "refused" },
  move: { kind: "move", to: "post" },
  retry: { kind: "retry" },
};

/** The design's page, written out by hand: what the table must say, whatever it says. */
const STEPS: Readonly<Record<string, State>> = {
  "outbox prepared confirm": "scheduled",
  "outbox prepared cancel": "cancelled",
  "outbox prepared check_again": "prepared",
  "outbox prepared park": "in_doubt",
  "outbox in_doubt confirm": "scheduled",
  "outbox in_doubt cancel": "cancelled",
  "outbox in_doubt check_again": "prepared",
  "outbox scheduled succeed": "succeeded",
  "outbox scheduled fail": "scheduled",
  "outbox scheduled release": "scheduled",
  "outbox scheduled stopping": "scheduled",
  "outbox scheduled unroutable": "scheduled",
  "outbox scheduled crash_limit": "failed",
  "outbox scheduled deadline_exceeded": "failed",
  "outbox scheduled cancel": "cancelled",
  "outbox scheduled resume": "scheduled",
  "outbox scheduled send_now": "scheduled",
  "outbox failed retry": "scheduled",
  "outbox succeeded dead_letter": "failed",
  "inbox scheduled succeed": "succeeded",
  "inbox scheduled fail": "scheduled",
  "inbox scheduled release": "scheduled",
  "inbox scheduled unroutable": "scheduled",
  "inbox scheduled crash_limit": "failed",
  "inbox scheduled deadline_exceeded": "failed",
  "inbox scheduled send_now": "scheduled",
  "inbox scheduled move": "cancelled",
  "inbox failed retry": "scheduled",
};

function standing(fields: Partial<Standing> = {}): Standing {
  return {
    box: "outbox",
    state: "scheduled",
    attempts: 2,
    crashes: 1,
    dueAtMs: NOW_MS - 10,
    deadlineMs: null,
    checks: 3,
    unreachable: 1,
    note: "by hand",
    details: { round: 1 },
    ...fields,
  };
}

function step(
  fields: Partial<Standing>,
  event: LifecycleEvent,
  policy: LifecyclePolicy = DEFAULT_POLICY,
): Patch {
  return transition(standing(fields), event, policy, NOW_MS, 0.5);
}

/** A policy that tries again after a minute. */
function everyMinute(maxAttempts: number): LifecyclePolicy {
  return { ...DEFAULT_POLICY, retry: { kind: "fixed", delayMs: 60_000, maxAttempts } };
}

const PATCH_FIELDS = [
  "attempts",
  "checks",
  "crashes",
  "deadlineMs",
  "details",
  "dueAtMs",
  "expiresAtMs",
  "note",
  "reason",
  "state",
  "unreachable",
];

describe("every state with every event", () => {
  for (const box of ["outbox", "inbox"] as const) {
    for (const state of STATES) {
      for (const kind of Object.keys(EVENTS) as EventKind[]) {
        const leadsTo = STEPS[`${box} ${state} ${kind}`];
        const name = `${box}: ${state} --${kind}-->`;
        if (leadsTo === undefined) it(`${name} is refused`, () => refused(box, state, kind));
        else it(`${name} ${leadsTo}`, () => taken(box, state, kind, leadsTo));
      }
    }
  }

  function taken(box: Box, state: State, kind: EventKind, leadsTo: State): void {
    const patch = step({ box, state, deadlineMs: NOW_MS + 1e9 }, EVENTS[kind]);
    assert.equal(patch.state, leadsTo);
    assert.deepEqual(Object.keys(patch).sort(), PATCH_FIELDS);
    assert.ok(Object.values(patch).every((value) => value !== undefined));
    assert.equal(patch.expiresAtMs === null, !isSettled(leadsTo));
  }

  function refused(box: Box, state: State, kind: EventKind): void {
    const wanted = STATES.filter((other) => STEPS[`${box} ${other} ${kind}`] !== undefined);
    assert.throws(() => step({ box, state }, EVENTS[kind]), (error) => {
      assert.ok(error instanceof AtlastError);
      assert.equal(error.code, "wrong_state");
      const [, want] = error.message.split("want one that is ");
      assert.deepEqual(
        want?.split(" or ").sort(),
        wanted.length === 0 ? ["in the other box"] : wanted.toSorted(),
      );
      assert.ok(
        error.message.startsWith(`Cannot ${kind} a message of the ${box} that is ${state}`),
      );
      return true;
    });
  }
});

describe("the table", () => {
  it("has just these steps", () => {
    const steps = Object.entries(TRANSITIONS).flatMap(([box, states]) =>
      Object.entries(states).flatMap(([state, events]) =>
        Object.keys(events).map((event) => `${box} ${state} ${event}`)
      )
    );
    assert.deepEqual(steps.sort(), Object.keys(STEPS).sort());
  });

  it("holds every patch there can be", () => {
    const anyStanding = fc.record({
      box: fc.constantFrom<Box>("outbox", "inbox"),
      state: fc.constantFrom(...STATES),
      attempts: fc.nat(60),
      crashes: fc.nat(6),
      dueAtMs: fc.integer({ min: 0, max: 2 * NOW_MS }),
      deadlineMs: fc.option(fc.integer({ min: 0, max: 2 * NOW_MS })),
      checks: fc.nat(20),
      unreachable: fc.nat(20),
      note: fc.option(fc.string()),
      details: fc.option(fc.record({ round: fc.nat(3) })),
    });
    const anyEvent = fc.oneof(
      fc.constantFrom(...Object.values(EVENTS)),
      fc.record({
        kind: fc.constant("fail" as const),
        reason: fc.string(),
        retryable: fc.boolean(),
        retryAfterMs: fc.double({ min: 0, noNaN: true }),
      }),
    );
    holds(
      fc.property(
        anyStanding,
        anyEvent,
        fc.double({ min: 0, max: 0.999 }),
        (message, event, random) => {
          const targets = TRANSITIONS[message.box][message.state][event.kind];
          if (targets === undefined) return;
          const patch = transition(Object.freeze(message), event, DEFAULT_POLICY, NOW_MS, random);
          assert.ok(targets.includes(patch.state));
          assert.equal(patch.expiresAtMs === null, !isSettled(patch.state));
          assert.ok(Number.isFinite(patch.dueAtMs));
          assert.ok(patch.state !== "failed" || patch.reason !== null);
        },
      ),
      2000,
    );
  });
});

describe("attempts and crashes", () => {
  it("count an attempt when it ends, well or badly, and at no other time", () => {
    for (const [key, event] of Object.entries(EVENTS) as [EventKind, LifecycleEvent][]) {
      for (const state of STATES) {
        if (STEPS[`outbox ${state} ${key}`] === undefined || key === "retry") continue;
        const ended = key === "succeed" || key === "fail";
        const { attempts, crashes } = step({ state }, event);
        assert.deepEqual([key, attempts, crashes], [key, ended ? 3 : 2, 1]);
      }
    }
  });

  it("start from nothing after an operator's retry, deadline included", () => {
    const patch = step({ state: "failed", attempts: 50, crashes: 5, deadlineMs: 1 }, EVENTS.retry);
    assert.deepEqual(patch, {
      state: "scheduled",
      attempts: 0,
      crashes: 0,
      dueAtMs: NOW_MS,
      deadlineMs: null,
      checks: 3,
      unreachable: 1,
      note: "by hand",
      // Who died with it may have sent it.
      details: { round: 2, mayHaveArrived: true },
      expiresAtMs: null,
      reason: null,
    });
  });

  it("say how many workers never came back", () => {
    const { state, reason } = step({ crashes: 5 }, EVENTS.crash_limit);
    assert.equal(state, "failed");
    assert.match(reason ?? "", /5 workers/);
  });
});

describe("a failed attempt", () => {
  it("is tried again at the time of the policy, with its reason kept", () => {
    const patch = step({}, EVENTS.fail, everyMinute(50));
    assert.equal(patch.dueAtMs, NOW_MS + 60_000);
    assert.equal(patch.reason, "Error-->no");
  });

  it("is the end when it was the last one allowed", () => {
    assert.equal(step({ attempts: 3 }, EVENTS.fail, everyMinute(5)).state, "scheduled");
    const patch = step({ attempts: 4 }, EVENTS.fail, everyMinute(5));
    assert.deepEqual([patch.state, patch.attempts], ["failed", 5]);
    assert.equal(patch.reason, "Error-->no; it may have taken effect");
    const known = step({ attempts: 4, crashes: 0 }, EVENTS.fail, everyMinute(5));
    assert.deepEqual([known.reason, known.details], ["Error-->no", { round: 1 }]);
  });

  it("is the end when trying again cannot help, and still counts", () => {
    const patch = step({ attempts: 0 }, { ...EVENTS.fail, retryable: false } as LifecycleEvent);
    assert.deepEqual([patch.state, patch.attempts], ["failed", 1]);
  });

  it("is the end when the next one would come after the deadline", () => {
    const at = (deadlineMs: number): State =>
      step({ deadlineMs }, EVENTS.fail, everyMinute(50)).state;
    assert.equal(at(NOW_MS + 60_000), "scheduled");
    assert.equal(at(NOW_MS + 59_999), "failed");
  });
});

describe("the time in an answer", () => {
  const wish = (retryAfterMs: number, retryable = true): LifecycleEvent => ({
    kind: "fail",
    reason: "busy",
    retryable,
    retryAfterMs,
  });

  it("only lengthens the schedule", () => {
    for (const ms of [-5, 0, 1, 59_000, 60_000, 7_200_000]) {
      assert.equal(step({}, wish(ms), everyMinute(50)).dueAtMs, NOW_MS + Math.max(ms, 60_000));
    }
  });

  it("does not give more attempts than the policy", () => {
    assert.equal(step({ attempts: 4 }, wish(1), everyMinute(5)).state, "failed");
  });

  it("does not outlive the deadline", () => {
    const at = (ms: number) =>
      step({ deadlineMs: NOW_MS + 60_100 }, wish(ms), everyMinute(50)).state;
    assert.deepEqual([at(60_101), at(60_100)], ["failed", "scheduled"]);
  });

  it("does not make a final failure retryable", () => {
    assert.equal(step({}, wish(1, false), everyMinute(50)).state, "failed");
  });

  it("stays in the calendar", () => {
    assert.equal(step({}, wish(Infinity), everyMinute(50)).dueAtMs, 8.64e15);
  });
});

describe("when a message is due", () => {
  it("is said by whoever confirms it, and not by the time of its next check", () => {
    for (const dueAtMs of [NOW_MS + 9, NOW_MS - 9]) {
      assert.equal(step({ state: "prepared", dueAtMs }, EVENTS.confirm).dueAtMs, NOW_MS);
      const at = (ms: number): LifecycleEvent => ({ kind: "confirm", dueAtMs: ms });
      assert.equal(step({ state: "prepared", dueAtMs }, at(NOW_MS + 5)).dueAtMs, NOW_MS + 5);
      assert.equal(step({ state: "prepared", dueAtMs }, at(NOW_MS - 5)).dueAtMs, NOW_MS);
    }
  });

  it("waits for a route from the start once it may have arrived", () => {
    const waiting = { details: { unroutableSinceMs: NOW_MS - 59_000 } };
    const { details } = step(waiting, EVENTS.release);
    assert.deepEqual(details, waiting.details);
    const sent = step(waiting, { kind: "release", delayMs: 0, mayHaveArrived: true });
    assert.deepEqual(sent.details, { mayHaveArrived: true });
    assert.equal(step(sent, EVENTS.unroutable).details?.unroutableSinceMs, NOW_MS);
  });

  it("is put off by a release, and never brought forward", () => {
    assert.equal(step({ dueAtMs: NOW_MS }, EVENTS.release).dueAtMs, NOW_MS + 500);
    assert.equal(step({ dueAtMs: NOW_MS + 900 }, EVENTS.release).dueAtMs, NOW_MS + 900);
    assert.equal(step({ dueAtMs: 7 }, { kind: "release", delayMs: null }).dueAtMs, 7);
  });
});

describe("a half message", () => {
  it("keeps what a check learnt, and is due for the next one", () => {
    const patch = step({ state: "prepared" }, EVENTS.check_again);
    assert.deepEqual(
      [patch.checks, patch.unreachable, patch.dueAtMs, patch.reason],
      [4, 2, NOW_MS + 700, "did not answer"],
    );
    const past = { ...EVENTS.check_again, atMs: NOW_MS - 1 } as LifecycleEvent;
    assert.equal(step({ state: "prepared" }, past).dueAtMs, NOW_MS);
  });

  it("keeps its counts, and who decided it and why", () => {
    for (const kind of ["confirm", "cancel"] as const) {
      const late = step({ state: "in_doubt" }, EVENTS[kind]);
      assert.deepEqual([late.checks, late.unreachable, late.note], [3, 1, "by hand"]);
      const noted = step({ state: "in_doubt" }, { kind, note: "Confirmed by Ann: seen" });
      assert.equal(noted.note, "Confirmed by Ann: seen");
    }
  });
});

describe("when a message expires", () => {
  const settling: readonly (readonly [EventKind, "succeededMs" | "failedMs" | "cancelledMs"])[] = [
    ["succeed", "succeededMs"],
    ["deadline_exceeded", "failedMs"],
    ["crash_limit", "failedMs"],
    ["dead_letter", "failedMs"],
    ["cancel", "cancelledMs"],
  ];
  for (const [event, field] of settling) {
    it(`${event}: after ${field} of the policy, or never`, () => {
      const from = { state: event === "dead_letter" ? "succeeded" : "scheduled" } as const;
      assert.equal(step(from, EVENTS[event]).expiresAtMs, NOW_MS + DEFAULT_EXPIRY[field]!);
      const forEver = { ...DEFAULT_POLICY, expiry: { ...DEFAULT_EXPIRY, [field]: null } };
      assert.equal(step(from, EVENTS[event], forEver).expiresAtMs, null);
      const atOnce = { ...DEFAULT_POLICY, expiry: { ...DEFAULT_EXPIRY, [field]: 0 } };
      assert.equal(step(from, EVENTS[event], atOnce).expiresAtMs, NOW_MS);
    });
  }

  it("fail, for the last time: after failedMs of the policy", () => {
    const patch = step({ attempts: 49 }, EVENTS.fail);
    assert.equal(patch.expiresAtMs, NOW_MS + DEFAULT_EXPIRY.failedMs!);
  });

  it("is forgotten when it is tried again", () => {
    assert.equal(step({ state: "failed" }, EVENTS.retry).expiresAtMs, null);
  });
});
