/**
 * What the examples promise, on any runtime: the same tests for each.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { httpTransport } from "../../adapters/http/mod.ts";
import { postgresFence } from "../../adapters/postgres/mod.ts";
import { serveQstashEmulator } from "../../devtools/qstash_emulator/mod.ts";
import { createClient } from "../../client/mod.ts";
import type { Message } from "../../core/message/message.ts";
import { OrderPaid, ParcelLabelled, ReserveStock } from "../../examples/shop/contracts.ts";
import { createLabel, LABEL_CONTENT_TYPE } from "../../examples/shop/label.ts";
import { Gate } from "../support/gate.ts";
import { signingKey, testMessage } from "../support/http.ts";
import type { Runtime } from "../support/runtimes/runtime.ts";
import { type ServiceName, Shop, SHOP_KEY } from "../support/runtimes/shop.ts";

/** The one product of the shop, and how much there is of it. */
const [PRODUCT, STOCK] = [1, 1_000_000];

/** Registers the tests of a runtime; `unavailable` says why it cannot be tested here. */
export function runtimeSuite(runtime: Runtime, unavailable: string | false): void {
  describe(`the examples on ${runtime.name}`, { skip: unavailable, concurrency: 1 }, () => {
    let shop: Shop;
    before(async () => {
      shop = await Shop.open(runtime);
      await shop.sql("inventory")`insert into stock values (${PRODUCT}, ${STOCK})`;
    });
    after(() => shop?.close());

    const check = (name: string, test: () => Promise<void>) =>
      it(name, async () => await shop.show(test));

    check("are alive and ready", async () => {
      for (const service of ["orders", "inventory", "payments"] as const) {
        assert.equal((await get(shop, service, "/atlast/health")).status, 200, service);
      }
      const ready = await get(shop, "orders", "/atlast/ready");
      assert.equal(ready.status, 200);
      assert.equal((await ready.json()).store, "up");
    });

    check("handle a signed delivery once, however often it comes", async () => {
      const message = reservation(11);
      for (let time = 0; time < 3; time++) {
        const status = (await deliver(shop, message)).status;
        assert.ok(status === 200 || status === 202, `got ${status}`);
        await shop.until("the message is handled", () => isHandled(shop, message.id));
      }
      assert.equal((await deliver(shop, message)).status, 200);
      assert.equal(await reservations(shop, 11), 1);
    });

    check("refuse a bad signature, and store nothing", async () => {
      const message = reservation(12);
      const answer = await deliver(shop, message, signingKey("x"));
      assert.equal(answer.status, 401);
      const rows = await shop.sql("inventory")`select from atlast.inbox where id = ${message.id}`;
      assert.equal(rows.length, 0);
    });

    check("send after the answer, and hear back, without a tick", async () => {
      assert.equal((await place(shop, 21)).status, 201);
      await shop.until("order 21 is reserved", () => isOrder(shop, 21, "reserved"));
      assert.equal((await place(shop, 21)).status, 200);
      assert.equal(await reservations(shop, 21), 1);
      assert.equal(await answers(shop, 21), 1);
    });

    check("compensate what cannot be reserved", async () => {
      assert.equal((await place(shop, 22, STOCK + 1)).status, 201);
      await shop.until("order 22 is sold out", () => isOrder(shop, 22, "sold out"));
      assert.equal(await reservations(shop, 22), 0);
    });

    check("try again by their cron what failed", async () => {
      const failing = failures(shop, 2);
      assert.equal((await place(shop, 31)).status, 201);
      await failing.reached(1);
      await shop.untilTicked("order 31 is reserved", () => isOrder(shop, 31, "reserved"));
      assert.equal(await reservations(shop, 31), 1);
      const [record] = await shop.sql("orders")`
        select attempts from atlast.outbox where body like '%"orderId":31,%'`;
      assert.equal(record?.["attempts"], 3);
    });

    for (const how of ["stop", "kill"] as const) {
      const orderId = how === "stop" ? 41 : 42;
      check(`go on where they were after a ${how} in the middle`, async () => {
        shop.front("inventory").rule = () => new Response(null, { status: 503 });
        assert.equal((await place(shop, orderId)).status, 201);
        await shop.untilTicked(
          "an attempt has failed",
          async () =>
            (await shop.sql("orders")`
              select from atlast.outbox where state = 'scheduled' and attempts > 0`).length === 1,
        );
        await shop.end("orders", how);
        shop.front("inventory").rule = null;
        await shop.start("orders");
        await shop.untilTicked(
          `order ${orderId} is reserved`,
          () => isOrder(shop, orderId, "reserved"),
        );
        assert.equal(await reservations(shop, orderId), 1);
      });
    }

    check("carry a half message over HTTP, and bytes as they are", async () => {
      await place(shop, 51);
      const paid = await pay(shop, 51);
      assert.deepEqual([paid.status, await paid.json()], [201, { outcome: "committed" }]);
      await shop.untilTicked("order 51 is shipped", () => isOrder(shop, 51, "shipped"));
      const label = await get(shop, "orders", "/orders/51/label");
      assert.deepEqual(new Uint8Array(await label.arrayBuffer()), createLabel(51));
    });

    check("keep every byte of a binary body", async () => {
      await place(shop, 52);
      const body = Uint8Array.from({ length: 256 }, (_, i) => 255 - i);
      const headers = { "order-id": "52" };
      const message = testMessage({
        ...{ id: "label-52", name: ParcelLabelled.name, headers, body },
        contentType: LABEL_CONTENT_TYPE,
      });
      await deliver(shop, message, SHOP_KEY, "orders");
      await shop.until("order 52 is shipped", () => isOrder(shop, 52, "shipped"));
      const label = await get(shop, "orders", "/orders/52/label");
      assert.deepEqual(new Uint8Array(await label.arrayBuffer()), body);
    });

    check("find out by a check-back what was committed and never confirmed", async () => {
      await place(shop, 61);
      const confirming = new Gate();
      shop.front("orders").rule = async ({ path, body }) => {
        if (path !== "/atlast/half" || !text(body).includes(`"confirm"`)) return null;
        await confirming.pass();
        return new Response(null, { status: 503 });
      };
      const paying = pay(shop, 61).catch(() => null);
      await confirming.reached();
      await shop.end("payments", "kill");
      shop.front("orders").rule = null;
      confirming.open();
      await paying;
      await shop.start("payments");
      await shop.untilTicked("order 61 is shipped", () => isOrder(shop, 61, "shipped"));
    });

    check("cancel by a check-back what was never begun", async () => {
      const fence = postgresFence(shop.sql("payments"), { migrate: false });
      const url = `${shop.front("orders").origin}/atlast/half`;
      const client = createClient({ url, signingKeys: [SHOP_KEY], participant: "payments", fence });
      const half = await client.prepare(OrderPaid, { orderId: 62, cents: 100 });
      await shop.untilTicked(
        "the half message is cancelled",
        async () => (await client.query(half.id))?.state === "cancelled",
      );
      const late = fence.transaction((tx) => half.fence(tx));
      await assert.rejects(late, { code: "fenced_off" });
    });

    check("are delivered to by QStash, and by nobody else then", async () => {
      const { url, emulator, close } = await serveQstashEmulator();
      try {
        const changed = ["orders", "inventory"] as const;
        await Promise.all(changed.map((name) => shop.replace(name, emulator.env(url))));
        assert.equal((await deliver(shop, reservation(71))).status, 401);
        assert.equal((await place(shop, 71)).status, 201);
        await shop.until("order 71 is reserved", () => isOrder(shop, 71, "reserved"));
        await pay(shop, 71);
        await shop.untilTicked("order 71 is shipped", () => isOrder(shop, 71, "shipped"));
        const label = await get(shop, "orders", "/orders/71/label");
        assert.deepEqual(new Uint8Array(await label.arrayBuffer()), createLabel(71));
        await emulator.idle();
      } finally {
        await close();
      }
    });
  });
}

function reservation(orderId: number): Message {
  const body = JSON.stringify({ orderId, productId: PRODUCT, qty: 1 });
  return testMessage({ id: `reserve-${orderId}`, name: ReserveStock.name, body });
}

async function deliver(
  shop: Shop,
  message: Message,
  key: string = SHOP_KEY,
  service: ServiceName = "inventory",
): Promise<Response> {
  const answers: Response[] = [];
  const transport = httpTransport({
    routes: { "#": `${shop.front(service).origin}/atlast/deliver` },
    signingKeys: [key],
    fetch: async (url, init) => {
      const answer = await drained(fetch(url, init));
      answers.push(answer.clone());
      return answer;
    },
  });
  await transport.send([message], new AbortController().signal);
  return answers[0] as Response;
}

function get(shop: Shop, service: ServiceName, path: string): Promise<Response> {
  return drained(fetch(shop.front(service).origin + path));
}

function place(shop: Shop, orderId: number, qty = 1): Promise<Response> {
  return drained(
    fetch(`${shop.front("orders").origin}/orders/${orderId}`, {
      method: "PUT",
      body: JSON.stringify({ productId: PRODUCT, qty }),
    }),
  );
}

function pay(shop: Shop, orderId: number): Promise<Response> {
  const body = JSON.stringify({ orderId, cents: 100 });
  return drained(fetch(`${shop.front("payments").origin}/payments`, { method: "POST", body }));
}

/** A response whose body was read, so that its connection is free. */
async function drained(answered: Promise<Response>): Promise<Response> {
  const response = await answered;
  return new Response(await response.arrayBuffer(), response);
}

/** Has the next deliveries to the inventory service fail; the gate counts them. */
function failures(shop: Shop, count: number): Gate {
  const gate = new Gate();
  gate.open();
  let left = count;
  shop.front("inventory").rule = async ({ path }) => {
    if (path !== "/atlast/deliver" || left-- <= 0) return null;
    await gate.pass();
    return new Response(null, { status: 503 });
  };
  return gate;
}

async function isHandled(shop: Shop, id: string): Promise<boolean> {
  const rows = await shop.sql("inventory")`
    select from atlast.inbox where id = ${id} and state = 'succeeded'`;
  return rows.length === 1;
}

async function isOrder(shop: Shop, orderId: number, status: string): Promise<boolean> {
  const rows = await shop.sql("orders")`
    select from orders where id = ${orderId} and status = ${status}`;
  return rows.length === 1;
}

async function reservations(shop: Shop, orderId: number): Promise<number> {
  return (await shop.sql("inventory")`
    select from reservations where order_id = ${orderId}`).length;
}

async function answers(shop: Shop, orderId: number): Promise<number> {
  const [order] = await shop.sql("orders")`select answers from orders where id = ${orderId}`;
  return order?.["answers"];
}

function text(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}
