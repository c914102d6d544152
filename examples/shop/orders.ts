/**
 * The order service: takes orders and asks the inventory service to reserve the goods, which replies. It is
 * also the keeper of the half messages of the payment service, which has no bus.
 *
 * @module
 */
import { createBus, subscribe } from "@atlast/bus";
import { createApp } from "@atlast/bus/edge";
import { httpCheckBack, verifySignature } from "@atlast/bus/http";
import { postgresStore } from "@atlast/bus/postgres";
import { Hono } from "hono";
import * as z from "zod";
import { ParcelLabelled, ReserveStock, StockReserved } from "./contracts.ts";
import { LABEL_CONTENT_TYPE } from "./label.ts";
import { createRetryPolicy, type ServiceApp, type ServiceParts } from "./service_parts.ts";

const OrderId = z.coerce.number().pipe(z.int32().positive());
const NewOrder = z.object({ productId: z.int32(), qty: z.int32().positive() });

/** Creates the service. */
export function createOrderService({ settings, sql, transport, verify }: ServiceParts): ServiceApp {
  const signingKeys = settings.SIGNING_KEYS;
  const bus = createBus({
    store: postgresStore(sql, { migrate: false }),
    transport,
    retry: createRetryPolicy(settings),
    check: { immunityMs: settings.CHECK_AFTER_MS },
    checkBacks: {
      payments: httpCheckBack({ url: `${settings.PAYMENTS_URL}/atlast/checkback`, signingKeys }),
    },
  }, [
    subscribe(StockReserved, { group: "orders" }, async ({ orderId, isReserved }, { tx }) => {
      const status = isReserved ? "reserved" : "sold out";
      // Messages come in any order: the label may have come before this one.
      await tx`
        update orders set answers = answers + 1,
          status = case status when 'shipped' then status else ${status} end
        where id = ${orderId}`;
    }),
    subscribe(ParcelLabelled, { group: "orders" }, async (label, { tx, headers }) => {
      const orderId = OrderId.parse(headers["order-id"]);
      await tx`update orders set status = 'shipped', label = ${label} where id = ${orderId}`;
    }),
  ]);

  const app = new Hono();
  app.put("/orders/:id", async (c) => {
    const [id, order] = [
      OrderId.safeParse(c.req.param("id")),
      NewOrder.safeParse(await c.req.json().catch(() => null)),
    ];
    if (!id.success || !order.success) {
      return c.json({
        error:
          "Cannot place this order: its id and qty must be positive integers, productId an integer",
      }, 400);
    }
    const [orderId, { productId, qty }] = [id.data, order.data];
    // The order and its message are written together or not at all.
    const isNew = await bus.transaction(async (tx) => {
      const rows = await tx`
        insert into orders (id, product_id, qty) values (${orderId}, ${productId}, ${qty})
        on conflict do nothing returning 1`;
      if (rows.length === 0) return false;
      const body = { orderId, productId, qty };
      await bus.publish(ReserveStock, body, { tx, callback: StockReserved });
      return true;
    });
    return c.json({ orderId }, isNew ? 201 : 200);
  });
  app.get("/orders/:id{[0-9]{1,9}}", async (c) => {
    const [order] = await sql`
      select id, product_id, qty, status from orders where id = ${c.req.param("id")}`;
    return order === undefined ? c.json({ error: "There is no such order" }, 404) : c.json(order);
  });
  app.get("/orders/:id{[0-9]{1,9}}/label", async (c) => {
    const [order] = await sql`select label from orders where id = ${c.req.param("id")}`;
    if (!(order?.["label"] instanceof Uint8Array)) {
      return c.json({ error: "There is no label" }, 404);
    }
    return c.body(new Uint8Array(order["label"]), 200, { "content-type": LABEL_CONTENT_TYPE });
  });
  // Half messages are always signed by the payment service, even if QStash delivers messages.
  const halfMessages = { verify: verifySignature({ signingKeys }), signingKeys };
  const atlast = createApp<Hono>(bus, { verify, halfMessages, deadLetters: { verify } });
  return { bus, app: app.route("/atlast", atlast) };
}
