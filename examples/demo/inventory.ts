/**
 * The inventory service: deducts what was ordered, or says that there is not enough, and takes back what
 * cannot be paid.
 *
 * @module
 */
import { createBus, subscribe } from "@atlast/bus";
import { createApp } from "@atlast/bus/edge";
import { httpTransport, verifySignature } from "@atlast/bus/http";
import { Hono } from "hono";
import { DeductQty, MarkStatus, OrderStuck, ReturnQty } from "./contracts.ts";
import type { InventoryParts, Service } from "./service_parts.ts";

/** After these pauses, in milliseconds, a handler that keeps failing is given up. */
const DEDUCT_RETRY = { kind: "list", delaysMs: [50, 100, 200, 400] } as const;

/** Makes the service; nothing runs until its bus is started and its app is served. */
export function inventoryService<Tx>(parts: InventoryParts<Tx>): Service<Tx> {
  const { store, room, peerUrl, signingKeys, demo } = parts;
  const bus = createBus<Tx, never>({
    ...demo.settings,
    store,
    transport: demo.disturb(httpTransport({
      routes: { [MarkStatus.name]: peerUrl, [OrderStuck.name]: peerUrl },
      signingKeys,
    })),
  }, [
    subscribe(
      DeductQty,
      { group: "inventory", retry: DEDUCT_RETRY },
      async (order, handling) => ({
        orderId: order.orderId,
        isSuccess: await room.deduct(order, handling),
      }),
    ),
    subscribe(
      ReturnQty,
      { group: "inventory", retry: DEDUCT_RETRY },
      async ({ orderId }, handling) => await room.takeBack(orderId, handling),
    ),
  ]);

  const app = new Hono();
  app.get("/stock", async (c) => c.json(await room.list()));
  app.route("/atlast", createApp<Hono>(bus, { verify: verifySignature({ signingKeys }) }));
  return { bus, app };
}
