import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { verifySignature } from "../../../adapters/http/mod.ts";
import { qstashTransport } from "../../../adapters/qstash/mod.ts";
import { verifyQstash } from "../../../adapters/qstash/verify.ts";
import { messageRequestId } from "../../../http/signature_id.ts";
import { Signer } from "../../../http/signature.ts";
import type { Principal } from "../../../core/principal.ts";
import { createApp, verifyAny } from "../../../edge/mod.ts";
import { createStatelessApp } from "../../../edge/stateless/mod.ts";
import { defineMessage, failureReport, NonRetryable, subscribe } from "../../../mod.ts";
import type { DeliverOptions } from "../../../ports.ts";
import { FakeReceiver } from "../../support/fake_receiver.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { KEY, testMessage } from "../../support/http.ts";
import { type Delivery, virtualQstash, type VirtualQstashFixture } from "../../support/qstash.ts";
import { INVENTORY, ORDERS, qstashWorld, type World } from "../../support/qstash_world.ts";

const Deduct = defineMessage("stock.deduct", { body: z.object({ n: z.number() }) });
const Refund = defineMessage("stock.refund", { body: z.object({ n: z.number() }) });
const Marked = defineMessage("order.marked", { body: z.object({ n: z.number() }) });
const DeductAndMark = defineMessage(Deduct.name, { body: Deduct.body, reply: Marked.body });
const Stuck = defineMessage("order.stuck", { body: failureReport });
const BATCH = "application/vnd.atlast.batch+json";
const SIGNAL = new AbortController().signal;

/** A delivery that was captured, sent again at `path` of an app with other headers. */
async function replay(
  app: { fetch(request: Request): Response | Promise<Response> },
  { url, headers, body }: Delivery,
  change: { path?: string; headers?: Record<string, string | null> } = {},
): Promise<Response> {
  const changed = new Headers(headers);
  for (const [name, value] of Object.entries(change.headers ?? {})) {
    if (value === null) changed.delete(name);
    else changed.set(name, value);
  }
  const { origin, pathname, search } = new URL(url);
  const at = `${origin}${change.path ?? pathname}${search}`;
  return await app.fetch(
    new Request(at, { method: "POST", headers: changed, body: body as BodyInit }),
  );
}

async function within(
  options: Parameters<typeof qstashWorld>[0],
  run: (world: World) => Promise<void>,
): Promise<void> {
  const world = await qstashWorld(options);
  try {
    await run(world);
  } finally {
    await world.close();
  }
}

/** A receiver that keeps what it was told of each delivery. */
function listener() {
  const heard: { id: string; name: string; headers: object; options: DeliverOptions }[] = [];
  const receiver = new FakeReceiver();
  const bus = Object.assign(receiver, {
    deliver: (
      messages: Parameters<FakeReceiver["deliver"]>[0],
      options: DeliverOptions = {},
    ) => {
      for (const { id, name, headers } of messages) heard.push({ id, name, headers, options });
      return Promise.resolve(
        messages.map(() => ({ kind: "handled", duplicate: false, reply: null } as const)),
      );
    },
  });
  return { bus, heard };
}

/** An app behind QStash, and what it was told. */
async function receiving(options: Partial<Parameters<typeof verifyQstash>[0]> = {}) {
  const { bus, heard } = listener();
  const statuses: number[] = [];
  const qstash: VirtualQstashFixture = await virtualQstash(async (_, request) => {
    const response = await app.fetch(request);
    statuses.push(response.status);
    return response;
  });
  const { current: currentSigningKey, next: nextSigningKey } = qstash.emulator.keys;
  const verify = verifyQstash({
    currentSigningKey,
    nextSigningKey,
    url: INVENTORY,
    clock: qstash.clock,
    ...options,
  });
  const app = createApp(bus, { verify });
  return { qstash, app, heard, statuses };
}

describe("a delivery of QStash's that was captured", () => {
  it("passes at no other route, and a failure callback at no deliver route", async () => {
    await within({ orders: [subscribe(Deduct, { group: "o" }, () => {})] }, async (world) => {
      await world.orders.bus.publish(Refund, { n: 1 }, { id: "m" });
      await world.orders.bus.flush();
      await world.qstash.emulator.drain();
      const [delivery] = world.qstash.deliveries;
      const callback = world.qstash.deliveries.find(({ url }) => url.includes("/dead-letter"));
      assert.ok(delivery !== undefined && callback !== undefined);
      // The keys are the account's: the same in both services.
      for (const app of [world.inventory.app, world.orders.app]) {
        for (const path of ["/dead-letter", "/tick"]) {
          assert.equal((await replay(app, delivery, { path })).status, 401);
        }
        assert.equal((await replay(app, callback, { path: "/deliver" })).status, 401);
      }
    });
  });

  it("has a failed message run no second time, whatever count it claims", async () => {
    let runs = 0;
    const inventory = [subscribe(Deduct, { group: "inventory" }, () => {
      runs += 1;
      throw new NonRetryable("never");
    })];
    await within({ inventory }, async (world) => {
      await world.orders.bus.publish(Deduct, { n: 1 }, { id: "m" });
      await world.orders.bus.flush();
      await world.qstash.emulator.settled();
      const [delivery] = world.qstash.deliveries;
      for (const retried of ["0", "0", "1", null]) {
        const { app } = world.inventory;
        const response = await replay(app, delivery!, { headers: { "upstash-retried": retried } });
        assert.equal(response.status, 489);
      }
      assert.equal(runs, 1);
    });
  });

  it("makes a subscriber without a store tell nobody of a failure", async () => {
    const transport = new FakeTransport();
    const qstash = await virtualQstash((_, request) => app.fetch(request));
    const { client, clock, emulator } = qstash;
    const { current: currentSigningKey, next: nextSigningKey } = emulator.keys;
    let isBroken = false;
    const app = createStatelessApp([
      subscribe(Deduct, { group: "inventory" }, () => {
        if (isBroken) throw new Error("not now");
      }),
    ], {
      verify: verifyQstash({ currentSigningKey, nextSigningKey, url: INVENTORY, clock }),
      service: "inventory",
      transport,
    });
    const routes = { "#": `${INVENTORY}/deliver` };
    const headers = { "atlast-failure-callback-name": Stuck.name };
    await qstashTransport({ client, clock, routes })
      .send([testMessage({ name: Deduct.name, body: `{"n":1}`, headers })], SIGNAL);
    await emulator.settled();
    const [delivery] = qstash.deliveries;
    for (isBroken of [false, true]) {
      for (const retried of ["48", "49", "99"]) {
        await replay(app, delivery!, { headers: { "upstash-retried": retried } });
      }
    }
    assert.deepEqual(transport.ids, []);
    await qstash.close();
  });
});

describe("QStash's headers on what another verifier let in", () => {
  it("are nobody's: a failed message is not run again at a replay", async () => {
    let runs = 0;
    await within({
      inventory: [subscribe(Deduct, { group: "inventory" }, () => {
        runs += 1;
        throw new NonRetryable("never");
      })],
    }, async ({ inventory }) => {
      const refused = verifyQstash({ currentSigningKey: "a", nextSigningKey: "b", url: INVENTORY });
      const app = createApp(inventory.bus, {
        verify: verifyAny(refused, verifySignature({ signingKeys: [KEY] })),
      });
      const headers = new Headers({
        "content-type": "application/json",
        "cap-msg-id": "m",
        "cap-msg-name": Deduct.name,
      });
      const body = new TextEncoder().encode(`{"n":1}`);
      const id = await messageRequestId(headers, "deliver");
      const signed = await new Signer([KEY]).headersFor(id, body);
      for (const [name, value] of Object.entries(signed)) headers.set(name, value);
      headers.set("upstash-message-id", "msg_1");
      headers.set("upstash-retried", "0");
      for (let n = 0; n < 3; n++) {
        const request = new Request(`${INVENTORY}/deliver`, { method: "POST", headers, body });
        assert.equal((await app.fetch(request)).status, 422);
      }
      assert.equal(runs, 1);
    });
  });
});

describe("who QStash is", () => {
  it("is one that may ask callbacks where the headers are bound, by the verifier's list", async () => {
    for (const callbackNames of [undefined, ["order.*"]]) {
      const { qstash, heard } = await receiving(
        callbackNames === undefined ? {} : { callbackNames },
      );
      const routes = { "#": `${INVENTORY}/deliver` };
      const transport = qstashTransport({ client: qstash.client, clock: qstash.clock, routes });
      await transport.send([testMessage()], SIGNAL);
      await qstash.emulator.drain();
      const wanted: Principal = {
        name: "qstash",
        kind: "push_provider",
        callbackNames: callbackNames ?? ["#"],
      };
      assert.deepEqual(heard.map(({ options }) => options.principal), [wanted]);
      await qstash.close();
    }
  });

  it("has replies go where they were asked for, with nothing said", async () => {
    const marked: number[] = [];
    await within({
      inventory: [subscribe(DeductAndMark, { group: "inventory" }, ({ n }) => ({ n }))],
      orders: [subscribe(Marked, { group: "orders" }, ({ n }) => void marked.push(n))],
    }, async (world) => {
      await world.orders.bus.publish(DeductAndMark, { n: 7 }, { callback: Marked });
      await world.orders.bus.flush();
      await world.qstash.emulator.settled();
      await world.inventory.bus.flush();
      await world.qstash.emulator.settled();
      assert.deepEqual(marked, [7]);
    });
  });
});

describe("a raw delivery of a publisher that binds no headers", () => {
  const foreign = {
    url: `${INVENTORY}/deliver`,
    headers: {
      "content-type": "application/json",
      "cap-msg-id": "chosen",
      "cap-msg-name": Deduct.name,
      "cap-callback-name": "payment.refund",
      "atlast-failure-callback-name": "payment.refund",
      "cap-senttime": "2020-01-01T00:00:00Z",
      "atlast-destination": "https://evil.example/",
      traceparent: "00-aa-bb-01",
    },
    body: `{"n":1}`,
  };

  it("is refused for good, and so is another name", async () => {
    for (const options of [{}, { acceptUnboundRaw: { names: ["order.*"] } }]) {
      const { qstash, heard, statuses } = await receiving(options);
      await qstash.client.publish(foreign);
      await qstash.emulator.drain();
      assert.deepEqual([statuses, heard], [[489], []]);
      await qstash.close();
    }
  });

  it("is taken where the verifier says so, under an id that nobody chose, with its name alone", async () => {
    const { qstash, app, heard, statuses } = await receiving({
      acceptUnboundRaw: { names: [Deduct.name] },
    });
    await qstash.client.publish(foreign);
    await qstash.emulator.drain();
    const [delivery] = qstash.deliveries;
    const other = { "cap-msg-id": "other", "cap-msg-name": Refund.name };
    assert.equal((await replay(app, delivery!, { headers: other })).status, 489);
    const callback = { "cap-msg-id": "other", "upstash-retried": "0" };
    assert.equal((await replay(app, delivery!, { headers: callback })).status, 200);
    assert.equal(
      (await replay(app, delivery!, { headers: { "content-type": BATCH } })).status,
      489,
    );
    assert.deepEqual(statuses, [200]);
    const [first, second] = heard;
    assert.equal(heard.length, 2);
    assert.match(first?.id ?? "", /^qstash_/);
    assert.equal(first?.id, second?.id);
    assert.equal(first?.name, Deduct.name);
    assert.deepEqual(first?.headers, { traceparent: "00-aa-bb-01" });
    assert.deepEqual(first?.options, {
      principal: { name: "qstash", kind: "push_provider", callbackNames: [] },
    });
    await qstash.close();
  });

  it("is kept once by a bus that failed, which then tries it by itself", async () => {
    let runs = 0;
    const inventory = [subscribe(Deduct, {
      group: "inventory",
      retry: { kind: "fixed", delayMs: 1_000, maxAttempts: 3 },
    }, () => {
      if (++runs < 3) throw new Error("not now");
    })];
    const verify = { acceptUnboundRaw: { names: ["#"] } };
    await within({ inventory, verify }, async (world) => {
      await world.qstash.client.publish(foreign);
      await world.qstash.emulator.drain();
      assert.deepEqual(world.answers.map(({ response }) => response.status), [202]);
      for (let n = 0; n < 3; n++) {
        world.qstash.clock.advance(1_000);
        await world.inventory.bus.tick();
      }
      assert.equal(runs, 3);
      const states = await world.inventory.store.count("inbox");
      assert.deepEqual([states.succeeded, states.scheduled, states.failed], [1, 0, 0]);
    });
  });

  it("is no batch, whatever its body: where both are taken the URL of batches says so", async () => {
    const item = { headers: { "cap-msg-id": "evil", "cap-msg-name": Refund.name }, body: "{}" };
    const body = JSON.stringify({ messages: [item] });
    const { qstash, app, heard, statuses } = await receiving({
      acceptUnboundRaw: { names: ["#"] },
    });
    await qstash.client.publish({ ...foreign, body });
    await qstash.emulator.drain();
    const [raw] = qstash.deliveries;
    assert.equal((await replay(app, raw!, { headers: { "content-type": BATCH } })).status, 489);
    assert.deepEqual(heard.map(({ name }) => name), [Deduct.name]);

    const url = `${INVENTORY}/deliver?atlast-form=batch`;
    await qstash.client.urlGroups.addEndpoints({ name: "all", endpoints: [{ url }] });
    const routes = { "#": { urlGroup: "all" } };
    await qstashTransport({ client: qstash.client, clock: qstash.clock, routes })
      .send([testMessage({ id: "grouped" })], SIGNAL);
    await qstash.emulator.drain();
    assert.deepEqual(statuses, [200, 200]);
    const batch = qstash.deliveries.at(-1)!;
    const asRaw = { "content-type": "application/json", "cap-msg-id": "x", "cap-msg-name": "a" };
    assert.equal((await replay(app, batch, { headers: asRaw })).status, 489);
    assert.deepEqual(heard.map(({ id }) => id).slice(1), ["grouped"]);
    await qstash.close();
  });
});

describe("a delivery with bound headers", () => {
  it("holds for the official receiver, at the URL with the digest and at no other", async () => {
    const { qstash, statuses } = await receiving();
    const routes = { "#": `${INVENTORY}/deliver?shop=7` };
    await qstashTransport({ client: qstash.client, clock: qstash.clock, routes })
      .send([testMessage()], SIGNAL);
    await qstash.emulator.drain();
    assert.deepEqual(statuses, [200]);
    const { url, headers, text: body } = qstash.deliveries[0]!;
    const signature = headers.get("upstash-signature")!;
    assert.match(url, /\/deliver\?shop=7&atlast-bound=[\w-]{43}$/);
    assert.equal(await qstash.receiver().verify({ signature, body, url }), true);
    const other = url.replace(/&.*/, "");
    await assert.rejects(qstash.receiver().verify({ signature, body, url: other }));
    await qstash.close();
  });
});

describe("a URL group", () => {
  it("gets batches, whose headers QStash signs with the body", async () => {
    const { qstash, heard, statuses } = await receiving();
    const url = `${INVENTORY}/deliver`;
    await qstash.client.urlGroups.addEndpoints({ name: "all", endpoints: [{ url }] });
    const routes = { "#": { urlGroup: "all" } };
    const transport = qstashTransport({ client: qstash.client, clock: qstash.clock, routes });
    await transport.send([testMessage({ headers: { "cap-callback-name": "order.done" } })], SIGNAL);
    await qstash.emulator.drain();
    assert.deepEqual(statuses, [200]);
    assert.deepEqual(heard.map(({ id, name }) => [id, name]), [["m-1", "order.placed"]]);
    assert.equal(
      (heard[0]?.headers as Record<string, string>)["cap-callback-name"],
      "order.done",
    );
    await qstash.close();
  });
});

describe("who may say that a message was given up", () => {
  /** A bus that has sent `m` by QStash, which still tries to deliver it. */
  async function sent(run: (world: World) => Promise<void>): Promise<void> {
    await within({
      emulator: { faults: { delivery: () => ({ kind: "request_lost" } as const) } },
    }, async (world) => {
      await world.orders.bus.publish(Deduct, { n: 1 }, { id: "m", failureCallback: Stuck });
      await world.orders.bus.flush();
      await world.qstash.emulator.settled();
      await run(world);
    });
  }

  const states = async ({ orders }: World) => {
    const { succeeded, failed, scheduled } = await orders.store.count("outbox");
    return { succeeded, failed, scheduled };
  };

  it("is none but the push provider: a delivery key fails and plants nothing", async () => {
    await sent(async (world) => {
      const { bus } = world.orders;
      const own = verifySignature({ signingKeys: [KEY] });
      const refused = verifyQstash({ currentSigningKey: "a", nextSigningKey: "b", url: ORDERS });
      const verify = verifyAny(refused, own);
      const app = createApp(bus, { verify, deadLetters: { verify } });
      for (const id of ["m", "unknown"]) {
        const sourceHeader = { "x-atlast-sent": `7 ${id}`, "cap-msg-id": id, "cap-msg-name": "a" };
        const body = new TextEncoder().encode(JSON.stringify({
          dlqId: "1-0",
          status: 500,
          sourceHeader,
          sourceBody: btoa(`{"n":1}`),
        }));
        for (const audience of ["dead-letter", "deliver"]) {
          const requestId = await messageRequestId(new Headers(), audience);
          const headers = await new Signer([KEY]).headersFor(requestId, body);
          const at = `${ORDERS}/dead-letter`;
          const response = await app.fetch(new Request(at, { method: "POST", headers, body }));
          assert.equal(response.status, audience === "deliver" ? 401 : 403);
        }
      }
      assert.deepEqual(await states(world), { succeeded: 1, failed: 0, scheduled: 0 });
    });
  });

  it("is not everybody who may deliver: it has a verifier of its own", () => {
    const { bus } = listener();
    const undeliverable = () => Promise.resolve("unknown" as const);
    assert.throws(
      () =>
        createApp(Object.assign(bus, { deadLetter: undeliverable }), {
          verify: verifySignature({ signingKeys: [KEY] }),
          deadLetters: {} as never,
        }),
      { code: "invalid_option" },
    );
  });

  it("cannot plant what was never sent, not even with the account's token", async () => {
    await within({}, async (world) => {
      const sourceHeader = {
        "x-atlast-sent": "7 planted",
        "content-type": "application/json",
        "cap-msg-id": "planted",
        "cap-msg-name": Refund.name,
      };
      const body = JSON.stringify({
        dlqId: "1-0",
        status: 500,
        sourceHeader,
        sourceBody: btoa(`{"n":1}`),
      });
      for (const query of ["", `?atlast-proof=${"A".repeat(43)}`]) {
        await world.qstash.client.publish({ url: `${ORDERS}/dead-letter${query}`, body });
      }
      await world.qstash.emulator.drain();
      const { response } = world.answers.at(-1)!;
      assert.deepEqual(await response.json(), { id: "planted", standing: "unknown" });
      assert.deepEqual(await states(world), { succeeded: 0, failed: 0, scheduled: 0 });
    });
  });

  it("cannot fail what an operator had sent again, by a copy of an old callback", async () => {
    let runs = 0;
    const inventory = [subscribe(Deduct, { group: "inventory" }, () => {
      if (++runs === 1) throw new NonRetryable("never");
    })];
    await within({ inventory }, async (world) => {
      const { orders, qstash } = world;
      await orders.bus.publish(Deduct, { n: 1 }, { id: "m", failureCallback: Stuck });
      await orders.bus.flush();
      await qstash.emulator.drain();
      assert.deepEqual(await states(world), { succeeded: 0, failed: 1, scheduled: 0 });
      const callback = qstash.deliveries.find(({ url }) => url.includes("/dead-letter"))!;
      qstash.clock.advance(60_000);
      await orders.bus.retry({ box: "outbox", id: "m" });
      await orders.bus.flush();
      await qstash.emulator.drain();
      assert.equal(runs, 2);
      const response = await replay(orders.app, callback);
      assert.deepEqual(await response.json(), { id: "m", standing: "succeeded" });
      assert.deepEqual(await states(world), { succeeded: 1, failed: 0, scheduled: 0 });
    });
  });
});
