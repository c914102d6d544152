import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { qstashTransport } from "../../../adapters/qstash/mod.ts";
import { verifyQstash } from "../../../adapters/qstash/verify.ts";
import { type App, createApp } from "../../../edge/mod.ts";
import { createStatelessApp, NonRetryable, subscribe } from "../../../edge/stateless/mod.ts";
import { defineMessage, failureReport, type RetryPolicy } from "../../../mod.ts";
import { Deduct, fixture, Marked } from "../../support/bus_fixture.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { virtualQstash, type VirtualQstashFixture } from "../../support/qstash.ts";
import { randomFrom } from "../../support/random.ts";

const ORDERS = "https://orders.example/deliver";
const UNDELIVERABLE = "https://orders.example/dead-letter";
const STOCK = "https://stock.example/deliver";
const RETRY: RetryPolicy = { kind: "list", delaysMs: [3_000, 60_000, 600_000, 600_000, 600_000] };
/** What publishers tell QStash, which holds only where a destination says nothing. */
const PUBLISHERS_RETRY: RetryPolicy = { kind: "fixed", delayMs: 1_000, maxAttempts: 6 };
const Stuck = defineMessage("order.stuck", { body: failureReport });

/** Both keys as they are now, as a service has them that was deployed just now. */
function verifying({ emulator, clock }: VirtualQstashFixture, url: string) {
  const { current: currentSigningKey, next: nextSigningKey } = emulator.keys;
  return verifyQstash({ currentSigningKey, nextSigningKey, url, clock });
}

/** A service with a bus that orders, and one without a store that has the stock, with QStash between. */
async function shop(handle: (n: number, attempt: number) => void) {
  const apps = new Map<string, App>();
  const qstash = await virtualQstash((_, request) => {
    const { origin, pathname } = new URL(request.url);
    const app = apps.get(`${origin}${pathname}`);
    return app === undefined ? 404 : app.fetch(request);
  });
  const { client, clock } = qstash;
  const transport = (routes: Record<string, string>) =>
    qstashTransport({
      client,
      routes,
      retry: PUBLISHERS_RETRY,
      failureCallback: UNDELIVERABLE,
      clock,
    });
  const settled: unknown[] = [];
  const stuck: string[] = [];
  const { bus } = fixture([
    subscribe(Marked, { group: "orders" }, (body) => void settled.push(body)),
    subscribe(Stuck, { group: "orders" }, ({ messageId }) => void stuck.push(messageId)),
  ], { transport: transport({ [Deduct.name]: STOCK }), clock: new ManualClock() });
  const deploy = () => {
    const verify = verifying(qstash, new URL(ORDERS).origin);
    const orders = createApp(bus, { verify, deadLetters: { verify } });
    apps.set(ORDERS, orders);
    apps.set(UNDELIVERABLE, orders);
    apps.set(
      STOCK,
      createStatelessApp([
        subscribe(Deduct, { group: "stock" }, ({ n }, { attempt }) => {
          handle(n, attempt);
          return { n, ok: true };
        }),
      ], {
        verify: verifying(qstash, STOCK),
        transport: transport({ "order.#": ORDERS }),
        service: "stock",
        retry: RETRY,
        clock,
      }),
    );
  };
  deploy();
  return { qstash, bus, settled, stuck, deploy };
}

describe("a subscriber without a store, on QStash", () => {
  it("is driven by its own retry policy", async () => {
    const { qstash, bus, settled } = await shop((_, attempt) => {
      if (attempt < 4) throw new Error("Not yet");
    });
    try {
      await bus.publish(Deduct, { n: 1 }, { callback: Marked });
      await bus.tick();
      await qstash.emulator.drain();
      const [first, ...others] = qstash.deliveries.filter(({ url }) => url.startsWith(STOCK));
      const waits = others.map(({ atMs }) => atMs - (first?.atMs ?? 0));
      assert.deepEqual(waits, [3_000, 63_000, 663_000]);
      assert.deepEqual(settled, [{ n: 1, ok: true }]);
      const { messages } = await qstash.client.dlq.listMessages();
      assert.deepEqual(messages, []);
    } finally {
      await qstash.close();
      await bus.stop();
    }
  });

  it("gives up what cannot succeed, tells the publisher, and leaves it in the DLQ", async () => {
    const runs: number[] = [];
    const { qstash, bus, settled, stuck } = await shop((n) => {
      runs.push(n);
      throw n === 1 ? new NonRetryable("Never") : new Error("Not yet");
    });
    try {
      const options = { callback: Marked, failureCallback: Stuck };
      const receipts = await bus.publishMany(Deduct, [{ n: 1 }, { n: 2 }], options);
      await bus.tick();
      await qstash.emulator.drain();
      // What is used up the publisher's own bus tells, once QStash has given it up.
      await bus.tick();
      assert.deepEqual(runs.toSorted(), [1, 2, 2, 2, 2, 2, 2]);
      assert.deepEqual(settled, []);
      assert.deepEqual(stuck.toSorted(), receipts.map(({ id }) => id).toSorted());
      const { messages } = await qstash.client.dlq.listMessages();
      assert.deepEqual(messages.map(({ responseStatus }) => responseStatus), [489, 489]);
    } finally {
      await qstash.close();
      await bus.stop();
    }
  });

  it("settles every order once, while attempts fail and the keys are rotated", async (t) => {
    const seed = 20_261_122;
    t.diagnostic(`seed ${seed}`);
    const random = randomFrom(seed);
    const runs = new Map<number, number>();
    const { qstash, bus, settled, deploy } = await shop((n) => {
      runs.set(n, (runs.get(n) ?? 0) + 1);
      if (random() < 1 / 3) throw new Error("Not this time");
    });
    try {
      const orders = Array.from({ length: 60 }, (_, n) => ({ n }));
      await bus.publishMany(Deduct, orders.slice(0, 30), { callback: Marked });
      await bus.tick();
      await qstash.emulator.settled();
      // QStash signs with what was the next key from here on; the services hear of the new one later.
      qstash.emulator.rotateKeys();
      await bus.publishMany(Deduct, orders.slice(30), { callback: Marked });
      await bus.tick();
      await qstash.emulator.advance(10_000);
      deploy();
      qstash.emulator.rotateKeys();
      await qstash.emulator.drain();
      const done = settled.map((body) => (body as { n: number }).n).sort((a, b) => a - b);
      assert.deepEqual(done, orders.map(({ n }) => n));
      assert.ok([...runs.values()].some((count) => count > 1), "no attempt failed");
      const { messages } = await qstash.client.dlq.listMessages();
      assert.deepEqual(messages, []);
    } finally {
      await qstash.close();
      await bus.stop();
    }
  });
});
