import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  DEFAULT_POLICY,
  type LifecycleEvent,
  transition,
  TRANSITIONS,
} from "../../core/lifecycle/lifecycle.ts";
import type { Box, State } from "../../mod.ts";
import type { StoredRecord } from "../../ports.ts";
import { arriving } from "../support/bus_fixture.ts";
import { NOW_MS } from "../support/manual_clock.ts";
import { eventOf, kindOf } from "./change.ts";

const EVENTS: readonly LifecycleEvent[] = [
  { kind: "confirm" },
  { kind: "cancel" },
  { kind: "check_again", atMs: NOW_MS, checks: 1, unreachable: 0, reason: "unknown" },
  { kind: "park", reason: "unknown" },
  { kind: "succeed" },
  { kind: "fail", reason: "thrown", retryable: true },
  { kind: "fail", reason: "thrown", retryable: false },
  { kind: "fail", reason: "busy", retryable: true, delayedBy: "rate_limit" },
  { kind: "crash_limit" },
  { kind: "deadline_exceeded" },
  { kind: "dead_letter", reason: "not delivered" },
  { kind: "release", delayMs: null },
  { kind: "stopping", reason: "it is stopping", delayMs: 1_000 },
  { kind: "unroutable", reason: "no route", delayMs: 1_000, forMs: 60_000 },
  { kind: "unroutable", reason: "no route", delayMs: 1_000, forMs: 0 },
  { kind: "send_now", reason: null },
  { kind: "resume", atMs: NOW_MS, reason: null },
  { kind: "move", to: "other" },
  { kind: "retry" },
];

/** What comes from no worker. */
const WITHOUT_LEASE = ["send_now", "resume", "dead_letter", "retry"];

function recordOf(box: Box, state: State, leaseUntilMs: number | null): StoredRecord {
  return {
    box,
    id: "m",
    group: "g",
    message: arriving("m"),
    state,
    dueAtMs: NOW_MS + 10,
    deadlineMs: null,
    expiresAtMs: null,
    reason: null,
    retry: null,
    details: { principal: "someone" },
    leaseUntilMs,
    attempts: 1,
    crashes: 0,
    checks: 0,
    unreachable: 0,
    note: null,
    epoch: 3,
    reply: null,
    createdAtMs: NOW_MS,
  };
}

describe("simulation: a change of a record", () => {
  for (const box of ["outbox", "inbox"] as const) {
    for (const state of Object.keys(TRANSITIONS[box]) as State[]) {
      for (const event of EVENTS) {
        if (TRANSITIONS[box][state][event.kind] === undefined) continue;
        it(`is ${event.kind} again, ${box}, ${state}, ${JSON.stringify(event)}`, () => {
          const isFree = WITHOUT_LEASE.includes(event.kind);
          const before = recordOf(box, state, isFree ? null : NOW_MS + 1_000);
          const patch = transition(before, event, DEFAULT_POLICY, NOW_MS, 0);
          const details = structuredClone(patch.details);
          const after = { ...before, ...patch, details, leaseUntilMs: null };
          assert.equal(kindOf(before, after), "settled");
          assert.equal(eventOf(before, after), event.kind);
        });
      }
    }
  }

  it("is the end of a message also after its receiver was stopping", () => {
    const before = {
      ...recordOf("outbox", "scheduled", NOW_MS),
      details: { stoppingSinceMs: NOW_MS },
    };
    for (const kind of ["crash_limit", "deadline_exceeded"] as const) {
      const patch = transition(before, { kind }, DEFAULT_POLICY, NOW_MS, 0);
      assert.equal(eventOf(before, { ...before, ...patch, leaseUntilMs: null }), kind);
    }
  });

  it("is none of its life when it is claimed, renewed, woken, added or pruned", () => {
    const free = recordOf("outbox", "scheduled", null);
    const claimed = { ...free, epoch: 4, leaseUntilMs: NOW_MS };
    assert.equal(kindOf(free, claimed), "claimed");
    assert.equal(kindOf(claimed, { ...claimed, leaseUntilMs: NOW_MS + 1 }), "renewed");
    assert.equal(kindOf(free, { ...free, dueAtMs: NOW_MS }), "made_due");
    assert.equal(kindOf(null, free), "added");
    assert.equal(kindOf(free, null), "pruned");
  });
});
