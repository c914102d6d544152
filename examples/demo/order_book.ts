/**
 * The order service's own tables, and how an order ends in them.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus";

/**
 * An order is `pending` until its goods are deducted, then `paying`, and in the end `succeeded` or
 * `failed`. `payment_attempt` counts the tries to pay it; 0 while none is due.
 */
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

/** Ends an order, with the reason if it failed: what was reserved for it is spent, or free again. */
export async function endOrder(
  tx: SqlClient,
  orderId: number,
  failure: string | null,
): Promise<void> {
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
