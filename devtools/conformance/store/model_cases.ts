/**
 * Random sequences of everything a bus does to a store, compared with the model.
 *
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Box,
  type EventKind,
  type LifecycleEvent,
  type LifecyclePolicy,
  type Patch,
  type State,
  transition,
  TRANSITIONS,
} from "../../../core/lifecycle/lifecycle.ts";
import type { Store } from "../../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../../core/ports/record.ts";
import { StoreModel } from "./model.ts";
import { BOXES, type Step, step } from "./steps.ts";
import {
  groupsOf,
  keyOf,
  leaseOf,
  listAll,
  NOW,
  recordOf,
  settlement,
  type StoreCases,
} from "./subject.ts";

/** Leases and expiries end at odd times and the clock shows even ones, so that none ends just now. */
const POLICY: LifecyclePolicy = {
  retry: { kind: "fixed", delayMs: 4, maxAttempts: 3 },
  expiry: { succeededMs: 7, failedMs: 9, cancelledMs: null },
};

/** One run: the store beside the model, and all that was ever read, newest last. */
class Run {
  readonly #store: Store;
  readonly #model = new StoreModel();
  readonly #seen: Record<Box, StoredRecord[]> = { outbox: [], inbox: [] };
  #nowMs = NOW;

  constructor(store: Store) {
    this.#store = store;
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case "wait":
        this.#nowMs += step.ms;
        return;
      case "add":
        return await this.#add(step.box, step.adds.map((add) => this.#newRecord(add)));
      case "claim":
        return await this.#claim(step);
      case "settle":
        return await this.#settle(step);
      case "renew": {
        const leases = step.backs.flatMap((back) => this.#pick(step.box, back)).map(leaseOf);
        const untilMs = this.#nowMs + step.leaseMs;
        const answer = await this.#store.renew(step.box, leases, untilMs);
        assert.deepEqual(answer, this.#model.renew(step.box, leases, untilMs));
        return;
      }
      case "prune": {
        const answer = await this.#store.prune(step.box, this.#nowMs, step.limit);
        const left = await listAll(this.#store, step.box);
        this.#model.pruned(step.box, this.#nowMs, step.limit, answer, left);
        return;
      }
    }
  }

  async compare(): Promise<void> {
    for (const box of BOXES) {
      const listed = await listAll(this.#store, box);
      assert.deepEqual(byKey(listed), byKey(this.#model.records(box)));
      const counts = await this.#store.count(box);
      for (const [state, count] of Object.entries(counts)) {
        assert.equal(count, this.#model.count(box, state as State), state);
      }
    }
  }

  async compareNext(box: Box): Promise<void> {
    for (const state of ["scheduled", "prepared"] as const) {
      const next = await this.#store.nextDueAt(box, this.#nowMs, undefined, state);
      const want = this.#model.nextDueAt(box, this.#nowMs, state);
      const due = next === null ? null : Math.max(next, this.#nowMs);
      assert.equal(due, want, `when one that is ${state} is next due`);
    }
  }

  #newRecord(
    add: { n: number; group: string; delayMs: number; leaseMs: number | null; state: State },
  ): NewRecord {
    const leased = add.leaseMs !== null && add.state === "scheduled";
    return recordOf(`m-${add.n}`, {
      group: add.group,
      state: add.state,
      dueAtMs: this.#nowMs + (leased ? 0 : add.delayMs),
      leaseUntilMs: leased ? this.#nowMs + (add.leaseMs ?? 0) : null,
    });
  }

  async #add(box: Box, records: readonly NewRecord[]): Promise<void> {
    const answer = await this.#store.add(box, records, this.#nowMs);
    assert.deepEqual(answer, this.#model.add(box, records, this.#nowMs));
    for (const record of records) {
      const found = await this.#store.find(box, keyOf(record.id, record.group));
      if (found !== null) this.#seen[box].push(found);
    }
  }

  async #claim(step: Step & { kind: "claim" }): Promise<void> {
    const { box, limit, groups } = step;
    const request = {
      box,
      limit,
      kind: step.of,
      nowMs: this.#nowMs,
      leaseUntilMs: this.#nowMs + step.leaseMs,
      ...(groups === undefined ? {} : { groups: groupsOf(groups) }),
    };
    const answer = await this.#store.claim(request);
    this.#model.claimed(request, answer);
    this.#seen[box].push(...answer);
  }

  async #settle({ box, picks, reply }: Step & { kind: "settle" }): Promise<void> {
    const settlements = picks.flatMap(({ back, event, guard }) =>
      this.#pick(box, back).flatMap((record) =>
        eventsFor(record, event).map((happened) => ({
          ...settlement(record, happened, {
            guard,
            patch: transition(record, happened, POLICY, this.#nowMs, 0),
          }),
          ...(reply === undefined ? {} : { reply }),
        }))
      )
    );
    const answer = await this.#store.settle(box, settlements);
    assert.deepEqual(answer, this.#model.settle(box, settlements));
    for (const { key } of settlements) {
      const found = await this.#store.find(box, key);
      if (found !== null) this.#seen[box].push(found);
    }
  }

  #pick(box: Box, back: number): StoredRecord[] {
    return this.#seen[box].slice(-1 - back).slice(0, 1);
  }
}

/** Everything at once, in the sequences of a seed. */
export function modelCases(seed: number): StoreCases {
  return {
    "random sequences leave the store as the model": async ({ store }) => {
      const property = fc.asyncProperty(
        fc.array(step, { maxLength: 40, size: "max" }),
        async (steps) => {
          await empty(store);
          const run = new Run(store);
          for (const step of steps) {
            await run.take(step);
            if ("box" in step) await run.compareNext(step.box);
          }
          await run.compare();
        },
      );
      await fc.assert(property, { seed, numRuns: 30, endOnFailure: false });
    },
  };
}

/** What happens to the records of a sequence. */
const EVENTS: Readonly<Partial<Record<EventKind, (choice: number) => LifecycleEvent>>> = {
  confirm: () => ({ kind: "confirm" }),
  cancel: () => ({ kind: "cancel" }),
  check_again: (choice) => ({
    kind: "check_again",
    atMs: NOW + 2 * choice,
    checks: choice,
    unreachable: choice % 3,
    reason: "unknown",
  }),
  park: () => ({ kind: "park", reason: "unknown" }),
  succeed: () => ({ kind: "succeed" }),
  fail: (choice) => ({ kind: "fail", reason: "no", retryable: choice % 2 === 0 }),
  release: (choice) => ({ kind: "release", delayMs: 2 * (choice % 5) }),
  crash_limit: () => ({ kind: "crash_limit" }),
  deadline_exceeded: () => ({ kind: "deadline_exceeded" }),
  retry: () => ({ kind: "retry" }),
};

/** An event that can happen to a record; none when nothing can. */
function eventsFor(record: StoredRecord, choice: number): LifecycleEvent[] {
  const events = Object.entries(EVENTS).filter(([kind]) =>
    kind in TRANSITIONS[record.box][record.state]
  );
  return events.slice(choice % Math.max(events.length, 1)).slice(0, 1).map(([, make]) =>
    make(choice)
  );
}

function byKey(records: readonly StoredRecord[]): Record<string, StoredRecord> {
  return Object.fromEntries(records.map((record) => [`${record.group}/${record.id}`, record]));
}

function patchOf(record: StoredRecord): Patch {
  const { attempts, crashes, checks, unreachable, dueAtMs, deadlineMs, reason, note, details } =
    record;
  const kept = {
    attempts,
    crashes,
    checks,
    unreachable,
    dueAtMs,
    deadlineMs,
    reason,
    note,
    details,
  };
  return { ...kept, state: "cancelled", expiresAtMs: 0 };
}

/** Settles and deletes what the run before left. */
async function empty(store: Store): Promise<void> {
  for (const box of BOXES) {
    const records = await listAll(store, box);
    await store.settle(
      box,
      records.map((record) => ({
        ...leaseOf(record),
        guard: record.leaseUntilMs === null ? "anyone while free" : "holder",
        from: record.state,
        patch: patchOf(record),
      })),
    );
    await store.prune(box, NOW, records.length);
    assert.deepEqual(await listAll(store, box), []);
  }
}
