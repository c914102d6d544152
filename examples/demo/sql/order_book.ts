/**
 * The order service's own tables. A handler writes in its transaction, so that its writes happen
 * once.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus";
import type { OrderBook, UnpaidOrder } from "../services/business_data.ts";
import type { Row } from "../reconciliation/table_reader.ts";

/** `payment_attempt` counts the attempts to pay an order; 0 before its payment is due. */
export const ORDERS_SQL: string = `
create table if not exists orders (
  order_id integer primary key,
  customer_id integer not null,
  product_id integer not null,
  qty integer not null,
  price_cents integer not null,
  status text not null default 'pending',
  payment_attempt integer not null default 0,
  reason text,
  message_id text not null
);
create table if not exists wallets (
  customer_id integer primary key,
  reserved_cents bigint not null default 0,
  spent_cents bigint not null default 0
);`;

/** The order book in a database. */
export function sqlOrderBook(database: SqlClient): OrderBook<SqlClient> {
  return {
    place: (bus, { orderId, customerId, productId, qty, priceCents, messageId }, publish) =>
      bus.transaction(async (tx) => {
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
        await publish(tx);
        return true;
      }),
    async markPayable(orderId, { tx }) {
      await tx.query(
        "update orders set status = 'paying', payment_attempt = 1 where order_id = $1",
        [orderId],
      );
    },
    endOrder: (orderId, failure, { tx }) => end(tx, orderId, failure),
    async endOrderOf(messageId, failure, { tx }) {
      const { rows } = await tx.query("select order_id from orders where message_id = $1", [
        messageId,
      ]);
      for (const { order_id } of rows as { order_id: number }[]) await end(tx, order_id, failure);
    },
    async listUnpaid() {
      const { rows } = await database.query(
        `select order_id as "orderId", customer_id as "customerId", price_cents as "priceCents",
           payment_attempt as attempt
         from orders where status = 'paying' order by order_id`,
      );
      return rows as UnpaidOrder[];
    },
    async startNextPayment({ orderId, attempt }) {
      await database.query(
        `update orders set payment_attempt = payment_attempt + 1
         where order_id = $1 and payment_attempt = $2`,
        [orderId, attempt],
      );
    },
    failUnpaid: (bus, { orderId }, failure, publish) =>
      bus.transaction(async (tx) => {
        await end(tx, orderId, failure);
        await publish(tx);
      }),
    async get(orderId) {
      const { rows } = await database.query("select * from orders where order_id = $1", [orderId]);
      return (rows[0] as Row | undefined) ?? null;
    },
    async countByStatus() {
      const { rows } = await database.query(
        "select status, count(*)::integer as orders from orders group by status order by status",
      );
      return rows as { status: string; orders: number }[];
    },
  };
}

async function end(tx: SqlClient, orderId: number, failure: string | null): Promise<void> {
  const status = failure === null ? "succeeded" : "failed";
  await tx.query(
    `with ended as (
       update orders set status = $2, reason = $3 where order_id = $1
       returning customer_id, price_cents, status
     )
     update wallets set reserved_cents = reserved_cents - price_cents,
       spent_cents = spent_cents + case when status = 'succeeded' then price_cents else 0 end
     from ended where wallets.customer_id = ended.customer_id`,
    [orderId, status, failure],
  );
}
