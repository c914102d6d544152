import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { httpTransport, verifySignature } from "../../../adapters/http/mod.ts";
import { qstashDialect } from "../../../adapters/qstash/verify.ts";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import { MAX_STOPPING_MS } from "../../../core/lifecycle/lifecycle.ts";
import type { SendResult, Transport } from "../../../core/ports/transport.ts";
import type { PushDelivery } from "../../../core/ports/push_delivery.ts";
import { createApp } from "../../../edge/mod.ts";
import {
  defineMessage,
  type FailureReport,
  failureReport,
  type RetryPolicy,
  subscribe,
} from "../../../mod.ts";
import { arriving, fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeReceiver } from "../../support/fake_receiver.ts";
import { FakeTransport, SENT } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { KEY } from "../../support/http.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";

const ONCE: RetryPolicy = { kind: "fixed", delayMs: 0, maxAttempts: 1 };
const Stuck = defineMessage("order.stuck", { body: failureReport });

/** A message that has one attempt, and whose publisher wants to learn of its failure. */
const LastTry = defineMessage("order.placed", { body: Placed.body, retry: ONCE });

/** Passes messages on after a gate. */
function gated(inner: Transport, gate: Gate): Transport {
  return {
    capabilities: inner.capabilities,
    routes: (name, headers) => inner.routes(name, headers),
    attach: (receiver) => inner.attach?.(receiver),
    close: (receiver) => inner.close(receiver),
    async send(messages, signal) {
      await gate.pass();
      return await inner.send(messages, signal);
    },
  };
}

describe("bus: a stop costs no attempt", () => {
  it("of messages that it sends to itself", async () => {
    const gate = new Gate();
    const reports: FailureReport[] = [];
    const store = memoryStore();
    const clock = new ManualClock();
    const { bus, observed } = fixture([
      subscribe(Placed, { group: "g" }, () => {}),
      subscribe(Stuck, { group: "g" }, (report) => void reports.push(report)),
    ], { store, clock, transport: gated(inProcessTransport(), gate) });
    await bus.start();
    const ids = await Promise.all(
      Array.from(
        { length: 8 },
        async (_, n) => (await bus.publish(LastTry, { n }, { failureCallback: Stuck })).id,
      ),
    );
    await gate.reached();
    const stopping = bus.stop();
    gate.open();
    await stopping;
    assert.deepEqual(observed.all("failed"), []);
    for (const id of ids) {
      const record = await store.find("outbox", { id, group: "" });
      assert.deepEqual(
        [record?.state, record?.attempts, record?.leaseUntilMs],
        ["scheduled", 0, null],
      );
    }
    clock.advance(1_000);
    const handled: number[] = [];
    const next = fixture([
      subscribe(Placed, { group: "g" }, ({ n }) => void handled.push(n)),
      subscribe(Stuck, { group: "g" }, (report) => void reports.push(report)),
    ], { store, clock });
    await next.bus.tick();
    assert.deepEqual(handled.sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert.deepEqual(reports, []);
  });

  for (const format of ["batch", "message"] as const) {
    it(`of messages that others send to it over HTTP, format ${format}`, async () => {
      const { bus } = fixture([subscribe(Placed, { group: "g" }, () => {})]);
      let app = createApp(bus, { verify: verifySignature({ signingKeys: [KEY] }) });
      const transport = httpTransport({
        routes: { "order.placed": "https://receiver.test/deliver" },
        signingKeys: [KEY],
        format,
        fetch: async (url, init) => await app.fetch(new Request(url, init)),
      });
      const sender = fixture([], { transport });
      const ids: string[] = [];
      for (let n = 0; n < 3; n++) ids.push((await sender.bus.publish(LastTry, { n })).id);
      await bus.stop();
      assert.deepEqual([(await sender.bus.tick()).failed, sender.observed.all("failed")], [0, []]);
      for (const id of ids) {
        const record = await sender.store.find("outbox", { id, group: "" });
        assert.deepEqual([record?.state, record?.attempts], ["scheduled", 0]);
        assert.match(record?.reason ?? "", /The bus is stopping/);
      }
      const handled: number[] = [];
      const next = fixture([subscribe(Placed, { group: "g" }, ({ n }) => void handled.push(n))]);
      app = createApp(next.bus, { verify: verifySignature({ signingKeys: [KEY] }) });
      sender.clock.advance(1_000);
      assert.equal((await sender.bus.tick()).sent, 3);
      assert.deepEqual(handled.sort(), [0, 1, 2]);
      for (const id of ids) {
        assert.equal((await sender.store.find("outbox", { id, group: "" }))?.attempts, 1);
      }
    });
  }

  it("unless the receiver never ends to stop, which is asked once a second at the most", async () => {
    const stopping: SendResult = { kind: "stopping", reason: "stopping", retryAfterMs: 0 };
    const transport = new FakeTransport(() => stopping);
    const { bus, observed, store, clock } = fixture([], { transport });
    await bus.publish(LastTry, { n: 1 }, { id: "m" });
    let sends = 0;
    for (let atMs: number | null = NOW_MS; atMs !== null && sends < 10_000; sends++) {
      clock.advance(atMs - clock.now());
      atMs = (await bus.tick()).nextDueAtMs;
    }
    assert.equal(clock.now(), NOW_MS + MAX_STOPPING_MS);
    assert.equal(transport.ids.length, MAX_STOPPING_MS / 1_000 + 1);
    assert.equal(observed.all("failed").length, 1);
    const record = await store.find("outbox", { id: "m", group: "" });
    assert.deepEqual([record?.state, record?.attempts], ["failed", 1]);
  });

  it("of a half message whose participant it asks", async () => {
    const asked = new Gate();
    const { bus, store, clock } = fixture([], {
      transport: new FakeTransport(() => SENT),
      checkBacks: {
        payments: {
          async check() {
            await asked.pass();
            return "committed";
          },
        },
      },
    });
    await bus.start();
    const { id, message, headers = {} } = {
      id: "half",
      message: arriving("half"),
      headers: { "atlast-participant": "payments" },
    };
    const draft = { message: { ...message, headers }, deadlineMs: null, retry: null };
    await bus.halfMessages.prepare(draft);
    clock.advance(10_000);
    await asked.reached();
    const stopping = bus.stop({ drainMs: 10 });
    await clock.awaits(10);
    clock.advance(10);
    await stopping;
    asked.open();
    const record = await store.find("outbox", { id, group: "" });
    assert.deepEqual(
      [record?.state, record?.checks, record?.unreachable, record?.leaseUntilMs],
      ["prepared", 0, 0, null],
    );
  });
});

describe("a delivery of QStash's to a bus that is stopping", () => {
  it("is asked to come again after the stop, as QStash counts each one", async () => {
    const bus = new FakeReceiver(() => ({
      kind: "refused",
      code: "stopping",
      reason: "The bus is stopping",
      retryAfterMs: 1_000,
    }));
    const push: PushDelivery = {
      attempt: 1,
      signedAtMs: NOW_MS,
      url: "https://receiver.test/deliver",
      bindsHeaders: true,
      unbound: null,
    };
    const principal = { name: "qstash", kind: "push_provider" } as const;
    const app = createApp(bus, {
      verify: () => ({ ok: true, principal, push, dialect: qstashDialect }),
    });
    const response = await app.fetch(
      new Request("https://receiver.test/deliver", {
        method: "POST",
        headers: {
          "cap-msg-id": "m-1",
          "cap-msg-name": "order.placed",
          "content-type": "application/json",
        },
        body: "{}",
      }),
    );
    assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "30"]);
    assert.equal((await response.json()).error.code, "stopping");
  });
});
