import { it } from "node:test";
import assert from "node:assert/strict";
import * as z from "zod";
import { type Bus, createBus, defineMessage, subscribe } from "../../../mod.ts";
import { type HttpFormat, httpTransport, verifySignature } from "../../../adapters/http/mod.ts";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { createApp } from "../../../edge/mod.ts";
import { KEY } from "../../support/http.ts";
import { serve, type TestServer } from "../../support/serve.ts";

const Marked = defineMessage("order.marked", { body: z.object({ orderId: z.number() }) });
const Placed = defineMessage("order.placed", {
  body: z.object({ orderId: z.number(), note: z.string() }),
  reply: Marked.body,
});
const Unwanted = defineMessage("order.unwanted", { body: z.object({}) });

for (const format of ["batch", "message"] as const) {
  it(`two services, a message and its callback, over real connections, format ${format}`, async () => {
    const placed: unknown[] = [];
    const marked: unknown[] = [];
    const servers: TestServer[] = [];
    const urls: string[] = [];
    const buses: Bus[] = [];
    // Each service's server is up before the other's routes are made of its URL.
    for (const i of [0, 1]) {
      const server = await serve((request) => apps[i]!.fetch(request));
      servers.push(server);
      urls.push(`${server.origin}/deliver`);
    }
    const [ordersUrl, inventoryUrl] = urls as [string, string];
    const orders = createBus({
      store: memoryStore(),
      transport: transportTo({ "order.*": inventoryUrl }, format),
    }, [subscribe(Marked, { group: "orders" }, (body) => void marked.push(body))]);
    const inventory = createBus({
      store: memoryStore(),
      transport: transportTo({ "order.marked": ordersUrl }, format),
    }, [
      subscribe(Placed, { group: "inventory" }, (body) => {
        placed.push(body);
        return { orderId: body.orderId };
      }),
    ]);
    buses.push(orders, inventory);
    const verify = verifySignature({ signingKeys: [KEY] });
    const apps = buses.map((bus) => createApp(bus, { verify }));
    try {
      const note = "\ufeff漢😀";
      const { id } = await orders.publish(Placed, { orderId: 7, note }, { callback: Marked });
      const unwanted = await orders.publish(Unwanted, {});
      for (const bus of [...buses, ...buses]) await bus.tick();
      assert.deepEqual(placed, [{ orderId: 7, note }]);
      assert.deepEqual(marked, [{ orderId: 7 }]);
      const stored = await orders.store.find("outbox", { id, group: "" });
      assert.equal(stored?.state, "succeeded");
      const waiting = await orders.store.find("outbox", { id: unwanted.id, group: "" });
      assert.equal(waiting?.state, "scheduled");
      assert.match(waiting?.reason ?? "", /has no subscriber for it now|answered 404/);
    } finally {
      for (const bus of buses) await bus.stop();
      for (const server of servers) await server.close();
    }
  });
}

function transportTo(
  routes: Record<string, string>,
  format: HttpFormat,
): ReturnType<typeof httpTransport> {
  return httpTransport({ routes, signingKeys: [KEY], format });
}
