/**
 * The order service: takes orders, reserves their price, asks the inventory for the goods, has them paid,
 * and completes or compensates by what comes back.
 *
 * @module
 */
import { type Bus, createBus, subscribe } from "@atlast/bus";
import { createApp } from "@atlast/bus/edge";
import { httpTransport, verifySignature } from "@atlast/bus/http";
import { Hono } from "hono";
import * as z from "zod";
import type { OrderBook } from "./business.ts";
import { takePayments } from "./cashier.ts";
import { DeductQty, MarkStatus, OrderStuck, PaymentTaken, ReturnQty } from "./contracts.ts";
import { UNIT_PRICE_CENTS } from "./order_plan.ts";
import type { OrderParts, Service } from "./service_parts.ts";

/** What taking an order needs of the bus. */
type OrderBus<Tx> = Pick<Bus<Tx>, "publish" | "transaction">;

const NewOrder = z.object({
  orderId: z.int32().positive(),
  customerId: z.int32().positive(),
  productId: z.int32().positive(),
  qty: z.int().positive().max(100_000),
});

/** Makes the service; nothing runs until its bus is started and its app is served. */
export function orderService<Tx, BankTx>(parts: OrderParts<Tx, BankTx>): Service<Tx> {
  const { store, book, bank, fence, ownUrl, peerUrl, signingKeys, demo } = parts;
  const verify = verifySignature({ signingKeys });
  const routes = {
    [DeductQty.name]: peerUrl,
    [ReturnQty.name]: peerUrl,
    [PaymentTaken.name]: ownUrl,
  };
  const bus = createBus({
    ...demo.settings,
    store,
    fence,
    transport: demo.disturb(httpTransport({ routes, signingKeys })),
  }, [
    subscribe(MarkStatus, { group: "orders" }, async ({ orderId, isSuccess }, handling) => {
      if (!isSuccess) return await book.end(orderId, "not enough in stock", handling);
      await book.toPay(orderId, handling);
    }),
    subscribe(PaymentTaken, { group: "orders" }, async ({ orderId }, handling) => {
      await book.end(orderId, null, handling);
    }),
    subscribe(OrderStuck, { group: "orders" }, async ({ messageId, reason }, handling) => {
      await book.endOf(messageId, reason, handling);
    }),
  ]);

  return {
    bus,
    app: orderRoutes(bus, book).route("/atlast", createApp<Hono>(bus, { verify })),
    work: (signal) => takePayments({ bus, book, bank }, signal),
  };
}

/** The order, its reserved price and its message: all of them, or none. False if it was there before. */
function place<Tx>(
  bus: OrderBus<Tx>,
  book: OrderBook<Tx>,
  { orderId, customerId, productId, qty }: z.infer<typeof NewOrder>,
): Promise<boolean> {
  const id = crypto.randomUUID();
  const priceCents = qty * UNIT_PRICE_CENTS;
  const order = { orderId, customerId, productId, qty, priceCents, messageId: id };
  return book.place(bus, order, (tx) =>
    bus.publish(DeductQty, { orderId, productId, qty }, {
      tx,
      id,
      callback: MarkStatus,
      failureCallback: OrderStuck,
    }));
}

function orderRoutes<Tx>(bus: OrderBus<Tx>, book: OrderBook<Tx>): Hono {
  const app = new Hono();
  // Whoever asks may ask again: an order has its number before it is placed.
  app.onError((error, c) => {
    console.error(`${c.req.method} ${c.req.path}: ${error.message}`);
    return c.json({ error: "Cannot do this just now" }, 503);
  });
  app.put("/orders/:id", async (c) => {
    const body: unknown = await c.req.json().catch(() => null);
    const order = NewOrder.safeParse({ ...Object(body), orderId: Number(c.req.param("id")) });
    if (!order.success) return c.json({ error: z.prettifyError(order.error) }, 400);
    const isNew = await place(bus, book, order.data);
    return c.json(
      { orderId: order.data.orderId, placed: isNew ? "now" : "before" },
      isNew ? 201 : 200,
    );
  });
  app.get("/orders/:id{[0-9]{1,9}}", async (c) => {
    const order = await book.get(Number(c.req.param("id")));
    return order === null ? c.json({ error: "There is no such order" }, 404) : c.json(order);
  });
  app.get("/orders", async (c) => c.json(await book.counts()));
  return app;
}
