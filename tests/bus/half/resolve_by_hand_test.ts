import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { FORCE_AFTER_MS } from "../../../core/lifecycle/check_back.ts";
import type { CheckAnswer } from "../../../core/lifecycle/check_back.ts";
import type { StoredRecord } from "../../../core/ports/record.ts";
import type { Fence } from "../../../core/ports/fence.ts";
import { type Bus, createBus, type HandDecision } from "../../../mod.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { testMessage } from "../../support/http.ts";
import { Gate } from "../../support/gate.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { Observed } from "../../support/observed.ts";

const SIDE = "payments";
const BY: HandDecision = { by: "Ann", reason: "the bank says so" };
const FORCE: HandDecision = { ...BY, force: true };

/** A keeper with a fence of its own, and a participant with another. */
class Pair {
  readonly clock = new ManualClock();
  readonly observed = new Observed();
  readonly transport = new FakeTransport();
  readonly own: Fence = memoryFence(() => this.clock.now()) as Fence;
  readonly theirs: Fence = memoryFence(() => this.clock.now()) as Fence;
  readonly store = memoryStore();
  /** What the participant does when it is asked; as its fence says if not given. */
  answer: (() => Promise<CheckAnswer>) | null = null;
  asked = 0;
  readonly bus: Bus = createBus({
    store: this.store,
    transport: this.transport,
    clock: this.clock,
    random: () => 0,
    observe: this.observed.observe,
    fence: this.own,
    check: { maxChecks: 2 },
    checkBacks: {
      [SIDE]: {
        check: (question, signal) => {
          this.asked++;
          return this.answer?.() ?? this.theirs.check(question, signal);
        },
      },
    },
  }) as Bus;

  async prepare(headers: Record<string, string> = { "atlast-participant": SIDE }): Promise<void> {
    const message = testMessage({ headers, sentAtMs: this.clock.now() });
    await this.bus.halfMessages.prepare({ message, deadlineMs: null, retry: null });
  }

  async park(): Promise<void> {
    this.answer = () => Promise.resolve("unknown");
    for (let i = 0; i < 2; i++) await this.pass(60_000);
    this.answer = null;
    assert.equal((await this.record()).state, "in_doubt");
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.bus.tick();
  }

  async record(): Promise<StoredRecord> {
    const record = await this.store.find("outbox", { id: "m-1", group: "" });
    assert.ok(record !== null);
    return record;
  }

  commit(fence: Fence): Promise<void> {
    return fence.transaction((tx) => fence.commit("m-1", this.clock.now(), tx));
  }

  /** Whether nothing was ever written to a fence. */
  async isUntouched(fence: Fence): Promise<boolean> {
    return (await fence.writtenBefore(Infinity, null, 10)).length === 0;
  }
}

const down = (): Promise<CheckAnswer> => Promise.reject(new Error("no route to host"));

let pair: Pair;

describe("a half message of another service, decided by hand", () => {
  beforeEach(async () => {
    pair = new Pair();
    await pair.prepare();
  });
  afterEach(() => pair.bus.stop());

  it("is the participant's to decide: what it says for certain is not overruled", async () => {
    await pair.commit(pair.theirs);
    await pair.park();
    for (const hand of [BY, FORCE]) {
      await assert.rejects(pair.bus.resolve("m-1", "cancel", hand), { code: "wrong_state" });
    }
    assert.equal((await pair.record()).state, "in_doubt");
    assert.equal((await pair.bus.resolve("m-1", "confirm", BY)).state, "scheduled");
    assert.equal((await pair.record()).note, "Confirmed by Ann: the bank says so");
    assert.equal((await pair.record()).details, null);
    assert.ok(await pair.isUntouched(pair.own), "the keeper's own fence was written");
  });

  it("is cancelled where the participant says aborted, and not confirmed", async () => {
    await pair.park();
    await assert.rejects(pair.bus.resolve("m-1", "confirm", FORCE), { code: "wrong_state" });
    assert.equal((await pair.bus.resolve("m-1", "cancel", BY)).state, "cancelled");
    await assert.rejects(pair.commit(pair.theirs), { code: "fenced_off" });
    assert.ok(await pair.isUntouched(pair.own), "the keeper's own fence was written");
  });

  it("is the operator's to decide where the participant answers that it cannot say", async () => {
    await pair.park();
    pair.answer = () => Promise.resolve("unknown");
    assert.equal((await pair.bus.resolve("m-1", "confirm", BY)).state, "scheduled");
    assert.equal((await pair.record()).details, null);
  });

  it("stays where the participant is not reached, until it was not for an hour", async () => {
    await pair.park();
    pair.answer = down;
    for (const hand of [BY, FORCE]) {
      await assert.rejects(pair.bus.resolve("m-1", "cancel", hand), {
        code: "unreachable",
        message: /checkAgain/,
      });
    }
    assert.equal((await pair.bus.checkAgain("m-1")).state, "prepared");
    await pair.bus.tick();
    const sinceMs = pair.clock.now();
    assert.equal((await pair.record()).details?.unreachableSinceMs, sinceMs);
    await pair.pass(FORCE_AFTER_MS - 1);
    await assert.rejects(pair.bus.resolve("m-1", "cancel", FORCE), { code: "unreachable" });
    await pair.pass(1);
    await assert.rejects(pair.bus.resolve("m-1", "cancel", BY), { code: "wrong_state" });
    assert.equal((await pair.bus.resolve("m-1", "cancel", FORCE)).state, "cancelled");
    const { note, details } = await pair.record();
    const since = new Date(sinceMs).toISOString();
    assert.equal(
      note,
      `Cancelled by Ann by force, its participant unreachable since ${since}: the bank says so`,
    );
    assert.deepEqual(details, { forced: true });
    assert.ok(await pair.isUntouched(pair.own), "the keeper's own fence was written");
  });

  it("is never parked while nobody answers, and can be forced all the same", async () => {
    pair.answer = down;
    for (let i = 0; i < 62; i++) await pair.pass(60_000);
    assert.equal((await pair.record()).state, "prepared");
    assert.equal((await pair.bus.resolve("m-1", "confirm", FORCE)).state, "scheduled");
    assert.match((await pair.record()).note ?? "", /^Confirmed by Ann by force/);
    await pair.bus.tick();
    assert.deepEqual(pair.transport.ids, ["m-1"]);
  });

  it("is not forced once the participant is back, whatever it was before", async () => {
    pair.answer = down;
    for (let i = 0; i < 62; i++) await pair.pass(60_000);
    pair.answer = () => Promise.resolve("committed");
    await assert.rejects(pair.bus.resolve("m-1", "cancel", FORCE), { code: "wrong_state" });
    pair.answer = down;
    // One answer, even without knowing, begins the hour anew.
    pair.answer = () => Promise.resolve("unknown");
    await pair.pass(60_000);
    assert.equal((await pair.record()).details, null);
    pair.answer = down;
    await pair.pass(60_000);
    await assert.rejects(pair.bus.resolve("m-1", "cancel", FORCE), { code: "unreachable" });
  });

  it("wants to know who decides, and why", async () => {
    await pair.park();
    for (const hand of [{ by: "", reason: "x" }, { by: "Ann", reason: " " }, { by: "Ann" }]) {
      await assert.rejects(pair.bus.resolve("m-1", "cancel", hand as HandDecision), {
        code: "invalid_option",
      });
    }
    assert.equal(pair.asked, 2);
  });

  it("is checked again with all its checks, and only when it is parked", async () => {
    await assert.rejects(pair.bus.checkAgain("m-1"), { code: "wrong_state" });
    await assert.rejects(pair.bus.checkAgain("m-9"), { code: "not_found" });
    await pair.park();
    await pair.commit(pair.theirs);
    const { state, reason } = await pair.bus.checkAgain("m-1");
    assert.deepEqual([state, reason], ["prepared", "Parked, and checked again by hand"]);
    assert.equal((await pair.record()).checks, 0);
    await pair.bus.tick();
    assert.deepEqual(pair.transport.ids, ["m-1"]);
  });

  it("of this bus is decided by its own fence, as ever", async () => {
    await pair.bus.stop();
    pair = new Pair();
    await pair.prepare({});
    const gate = new Gate();
    const open = pair.own.transaction(async (tx) => {
      await pair.own.commit("m-1", pair.clock.now(), tx);
      await gate.pass();
    });
    await gate.reached();
    for (let i = 0; i < 2; i++) await pair.pass(60_000);
    gate.open();
    await open;
    await assert.rejects(pair.bus.resolve("m-1", "cancel", FORCE), { code: "wrong_state" });
    assert.equal((await pair.bus.resolve("m-1", "confirm", BY)).state, "scheduled");
    assert.equal(pair.asked, 0);
  });
});

describe("an outcome that contradicts how its half message was decided", () => {
  beforeEach(async () => {
    pair = new Pair();
    await pair.prepare();
  });
  afterEach(() => pair.bus.stop());

  async function force(decision: "confirm" | "cancel"): Promise<void> {
    pair.answer = down;
    for (let i = 0; i < 62; i++) await pair.pass(60_000);
    await pair.bus.resolve("m-1", decision, FORCE);
  }

  for (
    const [decision, bring, state, outcome] of [
      ["cancel", "confirm", "cancelled", "committed"],
      ["confirm", "cancel", "scheduled", "aborted"],
    ] as const
  ) {
    it(`and was forced to ${decision} changes nothing, and is told`, async () => {
      await force(decision);
      await assert.rejects(pair.bus.halfMessages[bring]("m-1"), { code: "wrong_state" });
      assert.equal((await pair.record()).state, state);
      assert.deepEqual(pair.observed.all("contradicted"), [{
        kind: "contradicted",
        box: "outbox",
        id: "m-1",
        name: "order.placed",
        group: "",
        state,
        outcome,
        forced: true,
      }]);
    });
  }

  it("and comes as the answer to a check that was under way, is told too", async () => {
    pair.answer = down;
    for (let i = 0; i < 62; i++) await pair.pass(60_000);
    const gate = new Gate();
    pair.answer = async () => {
      await gate.pass();
      return "committed";
    };
    const ticking = pair.pass(60_000);
    await gate.reached();
    pair.answer = down;
    await pair.bus.resolve("m-1", "cancel", FORCE);
    gate.open();
    await ticking;
    assert.equal((await pair.record()).state, "cancelled");
    assert.equal(pair.observed.all("contradicted", { outcome: "committed" }).length, 1);
    assert.deepEqual(pair.transport.ids, []);
  });

  it("is not told of one that only repeats it", async () => {
    await force("cancel");
    await pair.bus.halfMessages.cancel("m-1");
    assert.deepEqual(pair.observed.all("contradicted"), []);
  });
});
