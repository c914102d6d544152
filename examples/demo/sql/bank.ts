/**
 * The bank in SQL: the customers' accounts and what was taken from them, in a database of its own. No transaction of the
 * order service's database includes it.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus";
import { type Bank, NotEnoughMoney } from "../services/business_data.ts";

/**
 * The bank's own tables. No unique key keeps a payment from being taken twice: the fence does, and the
 * reconciliation finds out whether it did.
 */
export const BANK_SQL: string = `
create table if not exists accounts (
  customer_id integer primary key,
  opening_cents bigint not null,
  balance_cents bigint not null check (balance_cents >= 0)
);
create table if not exists payments (
  payment_id text not null,
  order_id integer not null,
  customer_id integer not null,
  cents integer not null
);`;

/** The bank. It needs only the transaction. */
export const sqlBank: Bank<SqlClient> = {
  async take(tx, { paymentId, orderId, customerId, cents }) {
    const taken = await tx.query(
      `update accounts set balance_cents = balance_cents - $2
       where customer_id = $1 and balance_cents >= $2 returning 1`,
      [customerId, cents],
    );
    if (taken.rows.length === 0) throw new NotEnoughMoney(customerId, cents);
    await tx.query(
      `insert into payments (payment_id, order_id, customer_id, cents) values ($1, $2, $3, $4)`,
      [paymentId, orderId, customerId, cents],
    );
  },
};
