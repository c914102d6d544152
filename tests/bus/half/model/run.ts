/**
 * One random sequence, and what must be true after each of its steps and at its end.
 *
 * @module
 */
import assert from "node:assert/strict";
import { inProcessTransport } from "../../../../adapters/memory/mod.ts";
import {
  type Bus,
  createBus,
  type HalfMessage,
  type HalfOutcome,
  subscribe,
} from "../../../../mod.ts";
import type { Store, StoredRecord } from "../../../../ports.ts";
import { FORCE_AFTER_MS } from "../../../../core/lifecycle/check_back.ts";
import { type Faulty, faulty, Lost } from "../../../support/faulty.ts";
import { Gate } from "../../../support/gate.ts";
import { LEASE_MS, Paid } from "../../../support/half_world.ts";
import type { ManualClock } from "../../../support/manual_clock.ts";
import { Observed } from "../../../support/observed.ts";
import { type ModelPlace, type MoodFence, moodFence } from "./mood_fence.ts";
import { LONG_MS, MESSAGES, type Step } from "./steps.ts";

const CHECK = { immunityMs: 10_000, intervalMs: 10_000, intervalCapMs: 60_000, maxChecks: 3 };
const KEPT = { succeededMs: null, failedMs: null, cancelledMs: null };
const IDS = Array.from({ length: MESSAGES }, (_, n) => `m-${n}`);

interface Open {
  readonly gate: Gate;
  readonly end: { fails: boolean };
  readonly done: Promise<void>;
}

/** A sequence under way. */
export class Run {
  readonly #place: ModelPlace;
  readonly #clock: ManualClock;
  readonly #observed = new Observed();
  readonly #store: Faulty<Store>;
  readonly #moody: MoodFence;
  readonly #delivered: string[] = [];
  /** Handles that the participant holds. */
  readonly #halves = new Map<string, HalfMessage>();
  readonly #open = new Map<string, Open>();
  readonly #committed = new Set<string>();
  /** What operators decided, by message. */
  readonly #byHand = new Map<string, string>();
  #bus: Bus;

  constructor(place: ModelPlace) {
    this.#place = place;
    this.#clock = place.clock;
    this.#store = faulty(place.store);
    this.#moody = moodFence(place.fence);
    this.#bus = this.#newBus();
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case "prepare":
        return await this.#prepare(idOf(step.n), step.loss, step.other);
      case "operate":
        return await this.#operate(idOf(step.n), step);
      case "transact":
        return await this.#transact(idOf(step.n), step);
      case "open":
        return await this.#begin(idOf(step.n));
      case "close":
        return await this.#end(idOf(step.n), step.fails);
      case "cancel":
        return this.#mustFit(idOf(step.n), await this.#halves.get(idOf(step.n))?.cancel());
      case "tick":
        return await this.#tick(step.afterMs);
      case "die":
        return await this.#die();
      case "crash":
        return this.#crash();
      case "fence":
        this.#moody.mood = step.is;
        return;
      case "lose settle":
        return this.#store.lose("settle", step.what, { of: "outbox" });
      case "resolve":
        return await this.#resolve(idOf(step.n), step.decision, step.force);
      case "ask again":
        return await this.#checkAgain(idOf(step.n));
      case "long pause":
        return await this.#pause();
    }
  }

  /** What holds at any time. */
  async mustHold(): Promise<void> {
    assert.deepEqual(new Set(await this.#place.payments()), this.#committed, "business data");
    for (const id of IDS) {
      if (this.#byHand.has(id)) continue;
      const state = (await this.#find(id))?.state ?? null;
      const wasDelivered = this.#delivered.includes(id);
      if (wasDelivered) assert.ok(this.#committed.has(id), `${id} delivered, and not committed`);
      if (this.#committed.has(id)) assert.notEqual(state, "cancelled", `${id} is committed`);
      if (state === "cancelled") assert.equal(wasDelivered, false, `${id} is cancelled`);
    }
  }

  /** Lets everything come to rest, and asserts that nothing is left undecided unseen. */
  async mustEnd(): Promise<void> {
    for (const id of IDS) await this.#end(id, true);
    this.#store.heal();
    this.#moody.fence.heal();
    this.#moody.mood = "up";
    this.#crash();
    for (let round = 0; round < 4; round++) await this.#tick(10 * LEASE_MS);
    for (const id of IDS) await this.#mustBeDecided(id);
    await this.#tick(LEASE_MS);
    await this.mustHold();
    for (const id of IDS) await this.#mustBeAtRest(id);
  }

  #newBus(): Bus {
    return createBus({
      store: this.#store.part,
      transport: inProcessTransport(),
      fence: this.#moody.fence.part,
      clock: this.#clock,
      leaseMs: LEASE_MS,
      check: CHECK,
      expiry: KEPT,
      random: () => 0,
      observe: this.#observed.observe,
    }, [
      subscribe(Paid, { group: "shop" }, (_body, { message }) => {
        this.#delivered.push(message.id);
      }),
    ]);
  }

  async #prepare(id: string, loss: "request" | "answer" | null, other: boolean): Promise<void> {
    const before = await this.#find(id);
    if (loss !== null) this.#store.lose("add", loss);
    const call = this.#bus.prepare(Paid, { n: other ? 2 : 1 }, { id });
    try {
      const half = await call;
      assert.equal(half.state, before?.state ?? "prepared");
      this.#halves.set(id, half);
    } catch (error) {
      if ((error as { code?: unknown }).code === "id_conflict") {
        assert.notEqual(before, null);
        assert.notEqual(bodyOf(before), `{"n":${other ? 2 : 1}}`);
      } else assert.ok(error instanceof Lost, String(error));
    }
    this.#store.heal();
  }

  async #operate(
    id: string,
    { fails, loss, told }: { fails: boolean; loss: "request" | "answer" | null; told: boolean },
  ): Promise<void> {
    const half = this.#halves.get(id);
    if (half === undefined || (this.#open.has(id) && !this.#place.takesOpen)) return;
    const mayPass = this.#mayPass(half);
    if (loss !== null) this.#moody.fence.lose("transaction", loss);
    const error = await this.#operation(half, fails).then(() => null, (thrown) => thrown);
    this.#moody.fence.heal();
    const ran = loss !== "request";
    if (ran && mayPass && !fails) this.#committed.add(id);
    if (ran && !mayPass) assert.equal(error?.code, "fenced_off", String(error));
    if (!told) return;
    // Only what is known for certain is brought as committed; all else is asked for.
    this.#mustFit(id, await (error === null ? half.confirm() : half.cancel()));
  }

  async #transact(
    id: string,
    { fails, loss }: { fails: boolean; loss: "request" | "answer" | null },
  ): Promise<void> {
    if (this.#open.has(id) && !this.#place.takesOpen) return;
    const record = await this.#find(id);
    if (record !== null && bodyOf(record) !== '{"n":1}') return;
    const mayPass = this.#mayPass({ id, state: record?.state ?? "prepared" });
    if (loss !== null) this.#moody.fence.lose("transaction", loss);
    const end = await this.#bus.transact(Paid, { n: 1 }, async (tx) => {
      await this.#place.pay(tx, id);
      if (fails) throw new Error("declined");
    }, { id });
    this.#moody.fence.heal();
    if (mayPass && !fails && loss !== "request") this.#committed.add(id);
    this.#mustFit(id, end);
  }

  async #begin(id: string): Promise<void> {
    const half = this.#halves.get(id);
    if (half === undefined || !this.#place.takesOpen || this.#open.has(id)) return;
    if (!this.#mayPass(half)) return;
    const gate = new Gate();
    const end = { fails: false };
    const done = this.#moody.fence.part.transaction(async (tx) => {
      await half.fence(tx);
      await gate.pass();
      if (end.fails) throw new Error("declined");
      await this.#place.pay(tx, id);
    });
    await gate.reached();
    this.#open.set(id, { gate, end, done });
  }

  async #end(id: string, fails: boolean): Promise<void> {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    open.end.fails = fails;
    open.gate.open();
    if (fails) await assert.rejects(open.done, /declined/);
    else await open.done;
    if (!fails) this.#committed.add(id);
  }

  async #tick(afterMs: number): Promise<void> {
    this.#clock.advance(afterMs);
    const before = await this.#checks();
    const wasUnreachable = this.#moody.mood === "unreachable";
    try {
      await this.#bus.tick();
    } catch (error) {
      assert.ok(error instanceof Lost, String(error));
    }
    if (wasUnreachable) {
      assert.deepEqual(await this.#checks(), before, "unreachable used checks up");
    }
  }

  /** A worker that takes every due check along into its grave. */
  async #die(): Promise<void> {
    const nowMs = this.#clock.now();
    const leaseUntilMs = nowMs + LEASE_MS;
    await this.#place.store.claim({
      box: "outbox",
      kind: "prepared",
      limit: 10,
      nowMs,
      leaseUntilMs,
    });
  }

  #crash(): void {
    this.#halves.clear();
    this.#bus = this.#newBus();
  }

  /** No transaction lasts for a day, and nobody holds a handle for so long. */
  async #pause(): Promise<void> {
    for (const id of IDS) await this.#end(id, true);
    this.#crash();
    await this.#tick(LONG_MS);
    // What the fence may have forgotten by now, only its message knows.
    for (const id of IDS) {
      const state = (await this.#find(id))?.state;
      if (state !== "prepared" && state !== "in_doubt") this.#moody.said.delete(id);
    }
  }

  async #checkAgain(id: string): Promise<void> {
    const state = (await this.#find(id))?.state ?? null;
    const end = await this.#bus.checkAgain(id).then(
      () => null,
      (error: { code?: unknown }) => error,
    );
    if (end instanceof Lost) return;
    if (end !== null) {
      return assert.equal(end.code, state === null ? "not_found" : "wrong_state");
    }
    assert.equal(state, "in_doubt");
    assert.equal((await this.#find(id))?.state, "prepared");
  }

  async #resolve(id: string, decision: "confirm" | "cancel", force: boolean): Promise<void> {
    const before = await this.#find(id);
    const state = before?.state ?? null;
    const { mood } = this.#moody;
    const reason = `case ${this.#byHand.size}`;
    const sinceMs = before?.details?.unreachableSinceMs;
    const isSilent = sinceMs !== undefined && this.#clock.now() - sinceMs >= FORCE_AFTER_MS;
    const isForced = force && isSilent && mood === "unreachable";
    const call = this.#bus.resolve(id, decision, { by: "Ann", reason, force });
    const end = await call.then(() => null, (error: { code?: unknown }) => error);
    if (end instanceof Lost) {
      // The answer may have been lost after the decision was written down.
      if ((await this.#find(id))?.state === state) return;
    } else if (end !== null) {
      // Who decides without a fence in reach would guess.
      const isAsked = state === "in_doubt" ||
        (state === "prepared" && force && sinceMs !== undefined);
      if (isAsked && mood === "unreachable") assert.equal(end.code, "unreachable");
      else assert.equal(end.code, state === null ? "not_found" : "wrong_state");
      assert.equal(isForced, false);
      return;
    }
    assert.equal(isForced, mood === "unreachable", `${id}: ${decision} was let pass unasked`);
    const verb = decision === "confirm" ? "Confirmed" : "Cancelled";
    const { note, details } = await this.#find(id) as StoredRecord;
    assert.equal(details?.forced === true, isForced);
    const how = isForced ? /^\w+ by Ann by force, .*: case \d+$/ : /^\w+ by Ann: case \d+$/;
    assert.ok(note?.startsWith(verb) && note.endsWith(reason) && how.test(note), note ?? "no note");
    // With the fence in reach an operator cannot be wrong; without, it is on him.
    const isRight = this.#committed.has(id) === (decision === "confirm");
    if (mood === "up" && !this.#open.has(id)) assert.ok(isRight, `${id}: ${decision} was let pass`);
    this.#byHand.set(id, verb);
  }

  /** What the caller was told must be so, unless an operator has meddled. */
  #mustFit(id: string, end: HalfOutcome<unknown> | undefined): void {
    if (end === undefined || end.outcome === "in_doubt" || this.#byHand.has(id)) return;
    assert.equal(end.outcome === "committed", this.#committed.has(id), `${id}: ${end.outcome}`);
  }

  async #mustBeDecided(id: string): Promise<void> {
    const record = await this.#find(id);
    if (record?.state !== "in_doubt") return;
    assert.ok(record.reason !== null);
    assert.ok(this.#observed.all("in_doubt", { id }).length > 0, `${id} parked without an alarm`);
    const [right, wrong] = this.#committed.has(id)
      ? ["confirm", "cancel"] as const
      : ["cancel", "confirm"] as const;
    const by = { by: "Ben", reason: "at the end" };
    await assert.rejects(this.#bus.resolve(id, wrong, by), { code: "wrong_state" });
    await this.#bus.resolve(id, right, by);
    assert.match((await this.#find(id))?.note ?? "", /by Ben: at the end$/);
  }

  async #mustBeAtRest(id: string): Promise<void> {
    const record = await this.#find(id);
    const count = this.#delivered.filter((delivered) => delivered === id).length;
    if (record === null) return assert.equal(count, 0);
    const confirmed = this.#byHand.has(id)
      ? this.#byHand.get(id) === "Confirmed"
      : this.#committed.has(id);
    assert.deepEqual([record.state, count], confirmed ? ["succeeded", 1] : ["cancelled", 0], id);
  }

  /** Whether an operation must get through the fence now, by how its message stood when it was prepared. */
  #mayPass({ id, state }: Pick<HalfMessage, "id" | "state">): boolean {
    return (state === "prepared" || state === "in_doubt") &&
      !this.#committed.has(id) && !this.#open.has(id) && !this.#moody.said.has(id);
  }

  #operation(half: HalfMessage, fails: boolean): Promise<void> {
    return this.#moody.fence.part.transaction(async (tx) => {
      await half.fence(tx);
      await this.#place.pay(tx, half.id);
      if (fails) throw new Error("declined");
    });
  }

  async #checks(): Promise<(number | null)[]> {
    return await Promise.all(IDS.map(async (id) => (await this.#find(id))?.checks ?? null));
  }

  #find(id: string): Promise<StoredRecord | null> {
    return this.#place.store.find("outbox", { id, group: "" });
  }
}

function idOf(n: number): string {
  return IDS[n] as string;
}

function bodyOf(record: StoredRecord | null): string {
  return String(record?.message.body);
}
