/**
 * The inventory service: deducts what was ordered, or replies that there is not enough, and returns
 * the goods of orders that cannot be paid to stock.
 *
 * @module
 */
import { createBus, subscribe } from "@atlast/bus";
import { createApp } from "@atlast/bus/edge";
import { httpTransport, verifySignature } from "@atlast/bus/http";
import { Hono } from "hono";
import { DeductQty, MarkStatus, OrderStuck, ReturnQty } from "../contracts.ts";
import type { InventoryParts, Service } from "./service_parts.ts";

/** The delays between the attempts of a handler, in milliseconds. After the last the message fails. */
const DEDUCT_RETRY = { kind: "list", delaysMs: [50, 100, 200, 400] } as const;

/** Creates the service. Nothing runs until its bus is started and its app is served. */
export function createInventoryService<Tx>(parts: InventoryParts<Tx>): Service<Tx> {
  const { store, stockRoom, peerUrl, signingKeys, demo } = parts;
  const bus = createBus<Tx, never>({
    ...demo.settings,
    store,
    transport: demo.addFaults(httpTransport({
      routes: { [MarkStatus.name]: peerUrl, [OrderStuck.name]: peerUrl },
      signingKeys,
    })),
  }, [
    subscribe(
      DeductQty,
      { group: "inventory", retry: DEDUCT_RETRY },
      async (order, handling) => ({
        orderId: order.orderId,
        isSuccess: await stockRoom.deduct(order, handling),
      }),
    ),
    subscribe(
      ReturnQty,
      { group: "inventory", retry: DEDUCT_RETRY },
      async ({ orderId }, handling) => await stockRoom.returnGoods(orderId, handling),
    ),
  ]);

  const app = new Hono();
  app.get("/stock", async (c) => c.json(await stockRoom.list()));
  app.route("/atlast", createApp<Hono>(bus, { verify: verifySignature({ signingKeys }) }));
  return { bus, app };
}
