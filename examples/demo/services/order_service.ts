/**
 * The order service: takes orders, reserves their price, asks the inventory service for the goods,
 * takes the payment, and completes or compensates the order.
 *
 * @module
 */
import { type Bus, createBus, subscribe } from "@atlast/bus";
import { createApp } from "@atlast/bus/edge";
import { httpTransport, verifySignature } from "@atlast/bus/http";
import { Hono } from "hono";
import * as z from "zod";
import type { OrderBook } from "./business_data.ts";
import { takePayments } from "./payment_loop.ts";
import { DeductQty, MarkStatus, OrderStuck, PaymentTaken, ReturnQty } from "../contracts.ts";
import { UNIT_PRICE_CENTS } from "../order_plan.ts";
import type { OrderParts, Service } from "./service_parts.ts";

/** The part of the bus that placing an order uses. */
type OrderBus<Tx> = Pick<Bus<Tx>, "publish" | "transaction">;

const NewOrder = z.object({
  orderId: z.int32().positive(),
  customerId: z.int32().positive(),
  productId: z.int32().positive(),
  qty: z.int().positive().max(100_000),
});

/** Creates the service. Nothing runs until its bus is started and its app is served. */
export function createOrderService<Tx, BankTx>(parts: OrderParts<Tx, BankTx>): Service<Tx> {
  const { store, orderBook, bank, fence, ownUrl, peerUrl, signingKeys, demo } = parts;
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
    transport: demo.addFaults(httpTransport({ routes, signingKeys })),
  }, [
    subscribe(MarkStatus, { group: "orders" }, async ({ orderId, isSuccess }, handling) => {
      if (!isSuccess) return await orderBook.endOrder(orderId, "not enough in stock", handling);
      await orderBook.markPayable(orderId, handling);
    }),
    subscribe(PaymentTaken, { group: "orders" }, async ({ orderId }, handling) => {
      await orderBook.endOrder(orderId, null, handling);
    }),
    subscribe(OrderStuck, { group: "orders" }, async ({ messageId, reason }, handling) => {
      await orderBook.endOrderOf(messageId, reason, handling);
    }),
  ]);

  return {
    bus,
    app: createOrderRoutes(bus, orderBook).route("/atlast", createApp<Hono>(bus, { verify })),
    work: (signal) => takePayments({ bus, orderBook, bank }, signal),
  };
}

/** Places an order in one transaction with its reserved price and its message. False if it exists. */
function placeOrder<Tx>(
  bus: OrderBus<Tx>,
  orderBook: OrderBook<Tx>,
  { orderId, customerId, productId, qty }: z.infer<typeof NewOrder>,
): Promise<boolean> {
  const id = crypto.randomUUID();
  const priceCents = qty * UNIT_PRICE_CENTS;
  const order = { orderId, customerId, productId, qty, priceCents, messageId: id };
  return orderBook.place(bus, order, (tx) =>
    bus.publish(DeductQty, { orderId, productId, qty }, {
      tx,
      id,
      callback: MarkStatus,
      failureCallback: OrderStuck,
    }));
}

function createOrderRoutes<Tx>(bus: OrderBus<Tx>, orderBook: OrderBook<Tx>): Hono {
  const app = new Hono();
  // Customers may retry: an order has its number before it is placed.
  app.onError((error, c) => {
    console.error(`${c.req.method} ${c.req.path}: ${error.message}`);
    return c.json({ error: "Cannot answer: the service is not available" }, 503);
  });
  app.put("/orders/:id", async (c) => {
    const body: unknown = await c.req.json().catch(() => null);
    const order = NewOrder.safeParse({ ...Object(body), orderId: Number(c.req.param("id")) });
    if (!order.success) return c.json({ error: z.prettifyError(order.error) }, 400);
    const isNew = await placeOrder(bus, orderBook, order.data);
    return c.json(
      { orderId: order.data.orderId, placed: isNew ? "now" : "before" },
      isNew ? 201 : 200,
    );
  });
  app.get("/orders/:id{[0-9]{1,9}}", async (c) => {
    const order = await orderBook.get(Number(c.req.param("id")));
    return order === null ? c.json({ error: "There is no such order" }, 404) : c.json(order);
  });
  app.get("/orders", async (c) => c.json(await orderBook.countByStatus()));
  return app;
}
