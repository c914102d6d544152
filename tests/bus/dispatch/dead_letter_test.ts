import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { pgliteStore } from "../../../adapters/pglite/mod.ts";
import type { Message } from "../../../core/message/message.ts";
import type { Store } from "../../../core/ports/store.ts";
import {
  type DeadLetter,
  defineMessage,
  type FailureReport,
  failureReport,
  subscribe,
} from "../../../mod.ts";
import { fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport, SENT } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { PGlite } from "@electric-sql/pglite";

const Stuck = defineMessage("order.stuck", { body: failureReport });
const GONE: DeadLetter = { id: "m", reason: "QStash gave it up: 503" };
const KEY = { id: "m", group: "" };
const DAY_MS = 24 * 3_600_000;

const STORES: Readonly<Record<string, () => { store: Store; end(): Promise<void> }>> = {
  memory: () => ({ store: memoryStore() as Store, end: () => Promise.resolve() }),
  PGlite: () => {
    const db = new PGlite();
    return { store: pgliteStore(db) as Store, end: () => db.close() };
  },
};

for (const [name, open] of Object.entries(STORES)) {
  describe(`bus: what was sent and then given up, on ${name}`, () => {
    /** A bus that has sent `m`, and the reports it got of failures. */
    async function sent(isAsked = true) {
      const reports: FailureReport[] = [];
      const { store, end } = open();
      const transport = Object.assign(new FakeTransport(), {
        provesSent: ({ id, name }: Message, proof: string) =>
          Promise.resolve(name === Placed.name && proof === `proof of ${id}`),
      });
      const fixed = fixture(
        [subscribe(Stuck, { group: "orders" }, (report) => void reports.push(report))],
        { store: store as Store<Tx>, transport },
      );
      await fixed.bus.publish(
        Placed,
        { n: 1 },
        isAsked ? { id: "m", failureCallback: Stuck } : { id: "m" },
      );
      await fixed.bus.tick();
      assert.equal((await store.find("outbox", KEY))?.state, "succeeded");
      return { ...fixed, transport, reports, end };
    }

    it("is failed with the reason, kept as failures are, and its publisher is told once", async () => {
      const { bus, store, clock, reports, end } = await sent();
      assert.equal(await bus.deadLetter(GONE), "failed");
      assert.equal(await bus.deadLetter(GONE), "failed");
      const record = await store.find("outbox", KEY);
      assert.deepEqual(
        [record?.state, record?.reason, record?.expiresAtMs],
        ["failed", GONE.reason, clock.now() + 15 * DAY_MS],
      );
      await bus.tick();
      assert.deepEqual(reports, [{
        messageId: GONE.id,
        name: Placed.name,
        group: "",
        code: "dead_lettered",
        reason: "The push provider that accepted it dead-lettered it",
        attempts: 1,
        round: 1,
        mayHaveArrived: true,
      }]);
      await end();
    });

    it("can be retried, and given up again", async () => {
      const { bus, store, transport, end } = await sent(false);
      await bus.deadLetter(GONE);
      await bus.retry({ box: "outbox", id: "m" });
      // News of the first sending that comes late.
      assert.equal(await bus.deadLetter(GONE), "scheduled");
      await bus.tick();
      assert.deepEqual(transport.ids, ["m", "m"]);
      assert.equal((await store.find("outbox", KEY))?.state, "succeeded");
      assert.equal(await bus.deadLetter(GONE), "failed");
      await end();
    });

    it("is left alone where it was sent again since whoever gave it up said so", async () => {
      const { bus, store, clock, transport, end } = await sent(false);
      const saidAtMs = clock.now();
      await bus.deadLetter({ ...GONE, saidAtMs });
      clock.advance(60_000);
      await bus.retry({ box: "outbox", id: "m" });
      await bus.tick();
      // A copy of the news, and news of the second sending.
      assert.equal(await bus.deadLetter({ ...GONE, saidAtMs }), "succeeded");
      assert.equal((await store.find("outbox", KEY))?.state, "succeeded");
      assert.equal(await bus.deadLetter({ ...GONE, saidAtMs: clock.now() }), "failed");
      assert.deepEqual(transport.ids, ["m", "m"]);
      await end();
    });

    it("is kept as failed even if the outbox has forgotten it", async () => {
      const { bus, store, clock, transport, reports, end } = await sent();
      const [message] = transport.messages;
      assert.ok(message !== undefined);
      clock.advance(2 * DAY_MS);
      await bus.tick();
      assert.equal(await store.find("outbox", KEY), null);
      for (
        const unproved of [{ message }, { message, proof: "made up" }, {
          message: { ...message, name: "payment.refund" },
          proof: "proof of m",
        }, {
          message: { ...message, id: "other" },
          proof: "proof of other",
        }]
      ) {
        assert.equal(await bus.deadLetter({ ...GONE, ...unproved }), "unknown");
        assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
      }
      const proof = "proof of m";
      assert.equal(await bus.deadLetter({ ...GONE, message, proof }), "failed");
      const record = await store.find("outbox", KEY);
      assert.deepEqual([record?.state, record?.reason], ["failed", GONE.reason]);
      const { firstAttemptAtMs, ...stored } = message;
      assert.deepEqual(record?.message, stored);
      assert.deepEqual(record?.details, { mayHaveArrived: true, firstAttemptAtMs });
      assert.equal(record?.expiresAtMs, clock.now() + 15 * DAY_MS);
      await bus.tick();
      assert.equal(reports.length, 1);
      await bus.retry({ box: "outbox", id: "m" });
      await bus.tick();
      assert.deepEqual(transport.ids, ["m", "m"]);
      await end();
    });
  });
}

describe("bus: what was sent and then given up", () => {
  it("has its reason redacted, wherever that is kept or told", async () => {
    const transport = Object.assign(new FakeTransport(), {
      provesSent: () => Promise.resolve(true),
    });
    const { bus, store, clock, observed } = fixture([], {
      transport,
      redact: (text) => text.replaceAll("secret", "***"),
    });
    const reason = "gave it up: secret";
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    await bus.tick();
    assert.equal(await bus.deadLetter({ id: "m", reason }), "failed");
    assert.equal(await bus.deadLetter({ id: "nobody", reason }), "unknown");
    const message = { ...transport.messages[0]!, id: "forgotten" };
    const report = { id: "forgotten", reason, message, proof: "any", saidAtMs: clock.now() };
    assert.equal(await bus.deadLetter(report), "failed");
    const records = await store.list({ box: "outbox", limit: 9 });
    assert.deepEqual(records.map((record) => record.reason), Array(2).fill("gave it up: ***"));
    const [event] = observed.all("error");
    assert.match(String(event?.error), /\*\*\*/);
    assert.doesNotMatch(JSON.stringify(observed.events) + String(event?.error), /secret/);
  });

  it("is told of once where the receiver has told the publisher already", async () => {
    const transport = new FakeTransport();
    const { bus, store } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 }, { id: "m", failureCallback: Stuck });
    await bus.tick();
    assert.equal(await bus.deadLetter({ ...GONE, isPublisherNotified: true }), "failed");
    await bus.tick();
    assert.deepEqual(transport.ids, ["m"]);
    assert.equal((await store.find("outbox", KEY))?.state, "failed");
  });

  it("is not decided while it is being sent: the news may be of that very sending", async () => {
    const gate = new Gate();
    const transport = new FakeTransport(async () => {
      await gate.pass();
      return SENT;
    });
    const { bus } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    const ticking = bus.tick();
    await gate.reached();
    assert.equal(await bus.deadLetter(GONE), "sending");
    gate.open();
    await ticking;
    assert.equal(await bus.deadLetter(GONE), "failed");
  });

  it("is the observer's to know where it is not known at all", async () => {
    const { bus, observed } = fixture([], { transport: new FakeTransport() });
    assert.equal(await bus.deadLetter(GONE), "unknown");
    const [event] = observed.all("error", { during: "dead letter" });
    assert.match(String(event?.error), /Cannot fail message "m".*QStash gave it up/);
  });
});
