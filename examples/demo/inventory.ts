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
import type { Service, ServiceParts } from "./service_parts.ts";

/**
 * The service's own tables. What comes back is a deduction below zero. No unique key keeps an order from being deducted twice: that is left to
 * the bus, so that the reconciliation can find out whether it was.
 */
export const INVENTORY_SQL: string = `
create table if not exists stock (
  product_id integer primary key,
  name text not null,
  initial_qty integer not null,
  qty integer not null check (qty >= 0)
);
create table if not exists deductions (
  order_id integer not null,
  product_id integer not null,
  qty integer not null
);`;

/** After these pauses, in milliseconds, a handler that keeps failing is given up. */
const DEDUCT_RETRY = { kind: "list", delaysMs: [50, 100, 200, 400] } as const;

/** Makes the service; nothing runs until its bus is started and its app is served. */
export function inventoryService({ database, peerUrl, signingKeys, demo }: ServiceParts): Service {
  const bus = createBus({
    ...demo.settings,
    store: database.store,
    transport: demo.disturb(httpTransport({
      routes: { [MarkStatus.name]: peerUrl, [OrderStuck.name]: peerUrl },
      signingKeys,
    })),
  }, [
    subscribe(
      DeductQty,
      { group: "inventory", retry: DEDUCT_RETRY },
      async ({ orderId, productId, qty }, { tx }) => {
        const known = await tx.query("select 1 from stock where product_id = $1", [productId]);
        if (known.rows.length === 0) throw new Error(`There is no product ${productId}`);
        const deducted = await tx.query(
          "update stock set qty = qty - $2 where product_id = $1 and qty >= $2 returning 1",
          [productId, qty],
        );
        if (deducted.rows.length === 0) return { orderId, isSuccess: false };
        await tx.query(
          "insert into deductions (order_id, product_id, qty) values ($1, $2, $3)",
          [orderId, productId, qty],
        );
        return { orderId, isSuccess: true };
      },
    ),
    subscribe(
      ReturnQty,
      { group: "inventory", retry: DEDUCT_RETRY },
      async ({ orderId }, { tx }) => {
        await tx.query(
          `with returned as (
             insert into deductions (order_id, product_id, qty)
             select order_id, product_id, -qty from deductions where order_id = $1 and qty > 0
             returning product_id, qty
           )
           update stock set qty = stock.qty - returned.qty
           from returned where stock.product_id = returned.product_id`,
          [orderId],
        );
      },
    ),
  ]);

  const app = new Hono();
  app.get("/stock", async (c) => {
    const { rows } = await database.query("select * from stock order by product_id");
    return c.json(rows);
  });
  app.route("/atlast", createApp<Hono>(bus, { verify: verifySignature({ signingKeys }) }));
  return { bus, app };
}
