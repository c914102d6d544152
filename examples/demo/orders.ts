/**
 * The order service: takes orders, reserves their price, asks the inventory for the goods, has them paid,
 * and completes or compensates by what comes back.
 *
 * @module
 */
import { createBus, subscribe } from "@atlast/bus";
import { createApp } from "@atlast/bus/edge";
import { httpTransport, verifySignature } from "@atlast/bus/http";
import { Hono } from "hono";
import * as z from "zod";
import { takePayments } from "./cashier.ts";
import { DeductQty, MarkStatus, OrderStuck, PaymentTaken, ReturnQty } from "./contracts.ts";
import type { Database } from "./database.ts";
import { endOrder } from "./order_book.ts";
import { UNIT_PRICE_CENTS } from "./order_plan.ts";
import type { OrderParts, Service } from "./service_parts.ts";

const NewOrder = z.object({
  orderId: z.int32().positive(),
  customerId: z.int32().positive(),
  productId: z.int32().positive(),
  qty: z.int().positive().max(100_000),
});

/** Makes the service; nothing runs until its bus is started and its app is served. */
export function orderService(parts: OrderParts): Service {
  const { database, fence, ownUrl, peerUrl, signingKeys, demo } = parts;
  const verify = verifySignature({ signingKeys });
  const routes = {
    [DeductQty.name]: peerUrl,
    [ReturnQty.name]: peerUrl,
    [PaymentTaken.name]: ownUrl,
  };
  const bus = createBus({
    ...demo.settings,
    store: database.store,
    fence,
    transport: demo.disturb(httpTransport({ routes, signingKeys })),
  }, [
    // No handler asks whether it ran before: that its writes happen once is the bus's promise.
    subscribe(MarkStatus, { group: "orders" }, async ({ orderId, isSuccess }, { tx }) => {
      if (!isSuccess) return await endOrder(tx, orderId, "not enough in stock");
      await tx.query(
        "update orders set status = 'paying', payment_attempt = 1 where order_id = $1",
        [orderId],
      );
    }),
    subscribe(PaymentTaken, { group: "orders" }, async ({ orderId }, { tx }) => {
      await endOrder(tx, orderId, null);
    }),
    subscribe(OrderStuck, { group: "orders" }, async ({ messageId, reason }, { tx }) => {
      const { rows } = await tx.query("select order_id from orders where message_id = $1", [
        messageId,
      ]);
      for (const { order_id } of rows as { order_id: number }[]) {
        await endOrder(tx, order_id, reason);
      }
    }),
  ]);

  return {
    bus,
    app: orderRoutes(bus, database).route("/atlast", createApp<Hono>(bus, { verify })),
    work: (signal) => takePayments({ bus, database }, signal),
  };
}

/** The order, its reserved price and its message: all of them, or none. False if it was there before. */
function place(
  bus: Service["bus"],
  { orderId, customerId, productId, qty }: z.infer<typeof NewOrder>,
): Promise<boolean> {
  return bus.transaction(async (tx) => {
    const messageId = crypto.randomUUID();
    const priceCents = qty * UNIT_PRICE_CENTS;
    const { rows } = await tx.query(
      `insert into orders (order_id, customer_id, product_id, qty, price_cents, message_id)
       values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning 1`,
      [orderId, customerId, productId, qty, priceCents, messageId],
    );
    if (rows.length === 0) return false;
    await tx.query(
      `insert into wallets as w (customer_id, reserved_cents) values ($1, $2)
       on conflict (customer_id) do update
       set reserved_cents = w.reserved_cents + excluded.reserved_cents`,
      [customerId, priceCents],
    );
    await bus.publish(DeductQty, { orderId, productId, qty }, {
      tx,
      id: messageId,
      callback: MarkStatus,
      failureCallback: OrderStuck,
    });
    return true;
  });
}

function orderRoutes(bus: Service["bus"], database: Database): Hono {
  const app = new Hono();
  app.put("/orders/:id", async (c) => {
    const body: unknown = await c.req.json().catch(() => null);
    const order = NewOrder.safeParse({ ...Object(body), orderId: Number(c.req.param("id")) });
    if (!order.success) return c.json({ error: z.prettifyError(order.error) }, 400);
    const isNew = await place(bus, order.data);
    return c.json(
      { orderId: order.data.orderId, placed: isNew ? "now" : "before" },
      isNew ? 201 : 200,
    );
  });
  app.get("/orders/:id{[0-9]{1,9}}", async (c) => {
    const { rows } = await database.query("select * from orders where order_id = $1", [
      Number(c.req.param("id")),
    ]);
    return rows.length === 0 ? c.json({ error: "There is no such order" }, 404) : c.json(rows[0]);
  });
  app.get("/orders", async (c) => {
    const { rows } = await database.query(
      "select status, count(*)::integer as orders from orders group by status order by status",
    );
    return c.json(rows);
  });
  return app;
}
