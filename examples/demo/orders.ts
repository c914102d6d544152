/**
 * The order service: takes orders, reserves their price, asks the inventory for the goods, and
 * completes or compensates by what comes back.
 *
 * @module
 */
import { createBus, subscribe } from "@atlast/bus";
import { createApp } from "@atlast/bus/edge";
import { httpTransport, verifySignature } from "@atlast/bus/http";
import { Hono } from "hono";
import * as z from "zod";
import { DeductQty, MarkStatus, OrderStuck } from "./contracts.ts";
import type { Database } from "./database.ts";
import type { Service, ServiceParts } from "./service_parts.ts";

/** The service's own tables. */
export const ORDERS_SQL: string = `
create table if not exists orders (
  order_id integer primary key,
  customer_id integer not null,
  product_id integer not null,
  qty integer not null,
  price_cents integer not null,
  status text not null default 'pending',
  reason text,
  message_id text not null
);
create table if not exists wallets (
  customer_id integer primary key,
  reserved_cents bigint not null default 0,
  spent_cents bigint not null default 0
);`;

const UNIT_PRICE_CENTS = 500;

const NewOrder = z.object({
  orderId: z.int32().positive(),
  customerId: z.int32().positive(),
  productId: z.int32().positive(),
  qty: z.int().positive().max(100_000),
});

/** Makes the service; nothing runs until its bus is started and its app is served. */
export function orderService({ database, peerUrl, signingKeys, demo }: ServiceParts): Service {
  const verify = verifySignature({ signingKeys });
  const bus = createBus({
    ...demo.settings,
    store: database.store,
    transport: demo.disturb(
      httpTransport({ routes: { [DeductQty.name]: peerUrl }, signingKeys }),
    ),
  }, [
    // Neither handler asks whether it ran before: that its writes happen once is the bus's promise.
    subscribe(MarkStatus, { group: "orders" }, async ({ orderId, isSuccess }, { tx }) => {
      await tx.query(
        `with marked as (
           update orders set status = $2, reason = $3 where order_id = $1
           returning customer_id, price_cents
         )
         update wallets set reserved_cents = reserved_cents - price_cents,
           spent_cents = spent_cents + case when $4 then price_cents else 0 end
         from marked where wallets.customer_id = marked.customer_id`,
        isSuccess
          ? [orderId, "succeeded", null, true]
          : [orderId, "failed", "not enough in stock", false],
      );
    }),
    subscribe(OrderStuck, { group: "orders" }, async ({ messageId, reason }, { tx }) => {
      await tx.query(
        `with marked as (
           update orders set status = 'failed', reason = $2 where message_id = $1
           returning customer_id, price_cents
         )
         update wallets set reserved_cents = reserved_cents - price_cents
         from marked where wallets.customer_id = marked.customer_id`,
        [messageId, reason],
      );
    }),
  ]);

  return {
    bus,
    app: orderRoutes(bus, database).route("/atlast", createApp<Hono>(bus, { verify })),
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
