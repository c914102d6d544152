import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { httpTransport, verifySignature } from "../../../adapters/http/mod.ts";
import { inProcessTransport } from "../../../adapters/memory/mod.ts";
import { type App, createApp } from "../../../edge/mod.ts";
import { createStatelessApp } from "../../../edge/stateless/mod.ts";
import {
  defineMessage,
  type FailureReport,
  failureReport,
  subscribe,
  type Subscriber,
} from "../../../mod.ts";
import type { Message } from "../../../core/message/message.ts";
import { type Fixture, fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport, SENT } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { DELIVER_URL, KEY } from "../../support/http.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { pushed } from "../../support/pushed.ts";

const HOUR_MS = 3_600_000;
const Stuck = defineMessage("order.stuck", { body: failureReport });
const RETRY = { kind: "fixed", delayMs: 3_000, maxAttempts: 5 } as const;

/** A publisher that sends over HTTP to an app, which is made after it. */
function publisher(clock = new ManualClock()) {
  const reports: FailureReport[] = [];
  const served: { app?: App } = {};
  const requests: Request[] = [];
  const transport = httpTransport({
    routes: { "order.placed": DELIVER_URL },
    signingKeys: [KEY],
    fetch: async (url, init) => {
      const request = new Request(url, init as RequestInit);
      requests.push(request.clone());
      return await (served.app as App).fetch(request);
    },
    format: "message",
  });
  const learns = subscribe(Stuck, { group: "orders" }, (report) => void reports.push(report));
  return { ...fixture([learns], { transport, clock }), reports, served, requests };
}

/** A receiver of the publisher, whose clock is an hour ahead and whose answers go to the publisher. */
function receiver(orders: ReturnType<typeof publisher>, subscribers: readonly Subscriber[]) {
  const clock = new ManualClock();
  clock.advance(HOUR_MS);
  const transport = new FakeTransport(async (message) => {
    await orders.bus.deliver([message]);
    return SENT;
  });
  const inventory = fixture(subscribers, { transport, clock, retry: RETRY });
  orders.served.app = createApp(inventory.bus, { verify: verifySignature({ signingKeys: [KEY] }) });
  return inventory;
}

async function stateOf({ store }: Fixture, group: string) {
  const box = group === "" ? "outbox" : "inbox";
  const record = await store.find(box, { id: "m", group });
  return [record?.state, record?.attempts, record?.reason];
}

describe("the deadline of a message at its receiver", () => {
  it("ends it before its handler runs, and its publisher learns that it never ran", async () => {
    const orders = publisher();
    const gate = new Gate();
    const seen: string[] = [];
    const inventory = receiver(orders, [
      subscribe(Placed, { group: "stock" }, async (_, { message }) => {
        seen.push(message.id);
        await gate.pass();
      }),
    ]);
    await inventory.bus.start();
    for (let i = 0; i < 5; i++) await orders.bus.publish(Placed, { n: i }, { id: `busy-${i}` });
    await orders.bus.tick();
    await inventory.observed.until("received", { box: "inbox" }, 5);
    await orders.bus.publish(Placed, { n: 9 }, {
      id: "m",
      deadlineMs: 5_000,
      failureCallback: Stuck,
    });
    await orders.bus.tick();
    assert.deepEqual(await stateOf(orders, ""), ["succeeded", 1, null]);
    orders.clock.advance(6_000);
    inventory.clock.advance(6_000);
    gate.open();
    await inventory.observed.until("failed", { id: "m" });
    await inventory.observed.until("succeeded", { name: Stuck.name });
    assert.ok(!seen.includes("m"));
    const reason = "Deadline exceeded: the handler never ran";
    assert.deepEqual(await stateOf(inventory, "stock"), ["failed", 0, reason]);
    assert.deepEqual(orders.reports, [{
      messageId: "m",
      name: "order.placed",
      group: "stock",
      code: "deadline_exceeded",
      reason,
      attempts: 0,
      round: 1,
    }]);
    await inventory.bus.stop();
  });

  it("ends it between two attempts, and its publisher learns how many there were", async () => {
    const orders = publisher();
    let runs = 0;
    const inventory = receiver(orders, [
      subscribe(Placed, { group: "stock" }, () => {
        runs += 1;
        throw new Error("No stock");
      }),
    ]);
    const options = { id: "m", deadlineMs: 5_000, failureCallback: Stuck };
    await orders.bus.publish(Placed, { n: 1 }, options);
    await orders.bus.tick();
    assert.deepEqual(await stateOf(inventory, "stock"), ["scheduled", 1, "Error-->No stock"]);
    inventory.clock.advance(5_001);
    await inventory.bus.tick();
    await inventory.bus.tick();
    assert.equal(runs, 1);
    const reason = "Deadline exceeded after 1 attempt";
    assert.deepEqual(await stateOf(inventory, "stock"), ["failed", 1, reason]);
    const [report] = orders.reports;
    assert.deepEqual([report?.attempts, report?.reason], [1, reason]);
  });

  it("is counted from the arrival: the clocks of the services need not agree", async () => {
    const orders = publisher();
    const seen: number[] = [];
    const inventory = receiver(orders, [
      subscribe(Placed, { group: "stock" }, ({ n }) => void seen.push(n)),
    ]);
    await orders.bus.publish(Placed, { n: 1 }, { id: "m", deadlineMs: 5_000 });
    orders.clock.advance(4_000);
    await orders.bus.tick();
    assert.deepEqual(seen, [1]);
    const record = await inventory.store.find("inbox", { id: "m", group: "stock" });
    assert.equal(record?.deadlineMs, inventory.clock.now() + 1_000);
  });

  it("is signed: a longer one is not accepted", async () => {
    const orders = publisher();
    receiver(orders, [subscribe(Placed, { group: "stock" }, () => {})]);
    await orders.bus.publish(Placed, { n: 1 }, { id: "m", deadlineMs: 5_000 });
    await orders.bus.tick();
    const [sent] = orders.requests;
    assert.equal(sent?.headers.get("atlast-time-left"), "5000");
    for (
      const [name, value] of [["atlast-time-left", "9999999"], [
        "atlast-deadline",
        "2999-01-01T00:00:00Z",
      ]]
    ) {
      const headers: Headers = new Headers(sent?.headers);
      headers.set(name as string, value as string);
      const forged: Request = new Request(DELIVER_URL, {
        method: "POST",
        headers,
        body: `{"n":1}`,
      });
      assert.equal((await (orders.served.app as App).fetch(forged)).status, 401);
    }
  });

  it("is checked with the tolerance where a queue carried the message", async () => {
    for (
      const [aheadMs, clockToleranceMs, handled] of [
        [64_000, undefined, true],
        [66_000, undefined, false],
        [4_000, 0, true],
        [6_000, 0, false],
      ] as const
    ) {
      const queue: Message[] = [];
      const transport = new FakeTransport((message) => {
        queue.push(message);
        return SENT;
      });
      const orders = fixture([], { transport });
      await orders.bus.publish(Placed, { n: 1 }, { id: "m", deadlineMs: 5_000 });
      await orders.bus.tick();
      const clock = new ManualClock();
      clock.advance(aheadMs);
      let runs = 0;
      const inventory = fixture([subscribe(Placed, { group: "stock" }, () => void runs++)], {
        clock,
        ...(clockToleranceMs === undefined ? {} : { clockToleranceMs }),
      });
      const [result] = await inventory.bus.deliver(queue);
      assert.deepEqual([result?.kind, runs], handled ? ["handled", 1] : ["failed", 0]);
    }
  });

  it("goes to a bus of the same process as the time that is left", async () => {
    const transport = inProcessTransport();
    const orders = fixture([], { transport });
    const clock = new ManualClock();
    clock.advance(HOUR_MS);
    const inventory = fixture([subscribe(Placed, { group: "stock" }, () => {})], {
      transport,
      clock,
    });
    await orders.bus.publish(Placed, { n: 1 }, { id: "m", deadlineMs: 5_000 });
    await orders.bus.tick();
    const record = await inventory.store.find("inbox", { id: "m", group: "stock" });
    assert.deepEqual([record?.state, record?.deadlineMs], ["succeeded", NOW_MS + HOUR_MS + 5_000]);
  });
});

describe("the deadline of a message at a subscriber without a store", () => {
  function stateless(orders: ReturnType<typeof publisher>) {
    const clock = new ManualClock();
    const seen: unknown[] = [];
    const app = createStatelessApp(
      [subscribe(Placed, { group: "stock" }, (body) => void seen.push(body))],
      { verify: pushed, clock },
    );
    orders.served.app = app as unknown as App;
    return { app, clock, seen };
  }

  it("ends it before its handler runs, and the sender counts no attempt", async () => {
    const orders = publisher();
    const { app, seen } = stateless(orders);
    // It waits on its way until its time is up.
    orders.served.app = {
      fetch: (request: Request) => {
        const headers = new Headers(request.headers);
        headers.set("atlast-time-left", "0");
        return app.fetch(new Request(request, { headers }));
      },
    } as App;
    await orders.bus.publish(Placed, { n: 1 }, {
      id: "m",
      deadlineMs: 5_000,
      failureCallback: Stuck,
    });
    await orders.bus.tick();
    await orders.bus.tick();
    assert.deepEqual(seen, []);
    const reason = "Deadline exceeded: the handler never ran";
    assert.deepEqual(await stateOf(orders, ""), ["failed", 0, reason]);
    const [report] = orders.reports;
    assert.deepEqual([report?.code, report?.attempts, report?.reason], [
      "deadline_exceeded",
      0,
      reason,
    ]);
  });

  it("refuses a redelivery by a push provider for good", async () => {
    const orders = publisher();
    const { app, clock, seen } = stateless(orders);
    const deliver = async (attempt: number) =>
      await app.request("/deliver", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "cap-msg-id": "m",
          "cap-msg-name": Placed.name,
          "atlast-deadline": new Date(NOW_MS + 5_000).toISOString(),
          "upstash-message-id": "msg_1",
          "upstash-retried": String(attempt - 1),
        },
        body: `{"n":1}`,
      });
    assert.equal((await deliver(1)).status, 200);
    clock.advance(65_001);
    const late = await deliver(2);
    assert.equal(late.status, 489);
    assert.equal((await late.json()).error.code, "deadline_exceeded");
    assert.equal(seen.length, 1);
  });
});
