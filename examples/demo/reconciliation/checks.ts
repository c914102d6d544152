/**
 * What must hold when a run has ended, as queries. They read all databases at once, from the tables that
 * {@link ./copy_tables.ts} copies into one.
 *
 * @module
 */
import { MarkStatus, OrderStuck } from "../contracts.ts";
import { PAYMENT_CHECKS } from "./payment_checks.ts";

/** A check. */
export interface Check {
  /** What holds. */
  readonly claim: string;
  /** A query that counts what it covers, as `n`. */
  readonly about: string;
  /** A query for what breaks it, in words as `what`. */
  readonly broken: string;
}

/** Whether the order service received and handled the failure callback of a message. */
const FAILURE_HANDLED = (id: string) =>
  `exists (select 1 from orders_inbox as report where report.name = '${OrderStuck.name}'
    and report.state = 'succeeded' and report.headers::json ->> 'cap-corr-id' = ${id})`;

/** A half message is not sent until it is confirmed, and never when it is cancelled. */
const CONFIRMED = "state not in ('prepared', 'in_doubt', 'cancelled')";

/** Creates every check. The first covers the orders 1 to `placed`, which the customers know to be placed. */
export function createChecks(placed: number): Record<string, Check> {
  return {
    placed: {
      claim: "every order that a customer placed exists, with its message",
      about: `select ${placed} as n`,
      broken: `select 'order ' || n as what from generate_series(1, ${placed}) as n
        where not exists (select 1 from orders join orders_outbox on id = message_id
          where order_id = n)`,
    },
    settled: {
      claim: "every order has ended: succeeded or failed",
      about: "select count(*) as n from orders",
      broken: `select 'order ' || order_id as what from orders
        where status not in ('succeeded', 'failed')`,
    },
    once: {
      claim: "every order that succeeded was deducted, and as ordered",
      about: "select count(*) as n from orders where status = 'succeeded'",
      broken: `select 'order ' || order_id as what from orders where status = 'succeeded'
        and not exists (select 1 from deductions where deductions.order_id = orders.order_id
          and deductions.product_id = orders.product_id and deductions.qty = orders.qty)`,
    },
    never: {
      claim: "no order that was compensated keeps a deduction",
      about: "select count(*) as n from orders where status = 'failed'",
      broken: `select 'order ' || order_id as what from orders where status = 'failed'
        and 0 <> (select coalesce(sum(qty), 0) from deductions
          where deductions.order_id = orders.order_id)`,
    },
    doubled: {
      claim: "no order was deducted twice, or returned twice",
      about: "select count(distinct order_id) as n from deductions",
      broken: `select 'order ' || order_id as what from deductions
        group by order_id, qty > 0 having count(*) > 1`,
    },
    stock: {
      claim: "stock adds up for every product: initial = left + deducted - returned",
      about: "select count(*) as n from stock",
      broken: `select name as what from stock where initial_qty <> qty + (
        select coalesce(sum(qty), 0) from deductions
        where deductions.product_id = stock.product_id)`,
    },
    money: {
      claim: "money adds up for every customer: spent = what succeeded, nothing stays reserved",
      about: "select count(*) as n from wallets",
      broken: `select 'customer ' || customer_id as what from wallets
        where reserved_cents <> 0 or spent_cents <> (
          select coalesce(sum(price_cents), 0) from orders
          where orders.customer_id = wallets.customer_id and status = 'succeeded')`,
    },
    requests_lost: {
      claim: "every message of the order service arrived, or its failure callback did",
      about: `select count(*) as n from orders_outbox where ${CONFIRMED}`,
      broken: `select 'message ' || id as what from orders_outbox as sent where ${CONFIRMED}
        and not exists (select 1 from inventory_inbox where inventory_inbox.id = sent.id)
          and not exists (select 1 from orders_inbox where orders_inbox.id = sent.id)
          and not (state = 'failed' and ${FAILURE_HANDLED("sent.id")})`,
    },
    replies_lost: {
      claim: "every message of the inventory service arrived",
      about: "select count(*) as n from inventory_outbox",
      broken: `select 'message ' || id as what from inventory_outbox as sent
        where not exists (select 1 from orders_inbox where orders_inbox.id = sent.id)`,
    },
    handled: {
      claim: "every message that arrived was handled, or its sender got the failure callback",
      about: `select (select count(*) from inventory_inbox)
        + (select count(*) from orders_inbox) as n`,
      broken: `select 'message ' || id as what from inventory_inbox as got
        where state <> 'succeeded' and not (state = 'failed' and ${FAILURE_HANDLED("got.id")})
        union all
        select 'message ' || id from orders_inbox where state <> 'succeeded'`,
    },
    answered: {
      claim: "every order that was handled was answered, and as the order says",
      about: "select count(*) as n from orders",
      broken: `select 'order ' || order_id as what from orders
        where status in ('succeeded', 'failed') and 1 <> (
          select count(*) from orders_inbox as answer
          where answer.headers::json ->> 'cap-corr-id' = message_id and (
            (answer.name = '${OrderStuck.name}' and status = 'failed') or
            (answer.name = '${MarkStatus.name}'
              and (answer.body::json ->> 'isSuccess')::boolean = (payment_attempt > 0))))`,
    },
    idle: {
      claim: "no outbox or inbox has work left",
      about: `select count(*) as n from boxes`,
      broken: `select 'message ' || id as what from boxes where state = 'scheduled'`,
    },
    ...PAYMENT_CHECKS,
  };
}

/** Tables to show, by heading. */
export const LISTINGS: Readonly<Record<string, string>> = {
  "Orders": `select status as "state", count(*) as "orders", sum(qty) as "pieces",
      (sum(price_cents) / 100.0)::numeric(14, 2) as "worth"
    from orders group by status order by status desc`,
  "Stock": `select name as "product", initial_qty as "initial", qty as "left",
      coalesce(deducted, 0) as "deducted", coalesce(-returned, 0) as "returned"
    from stock left join (
      select product_id, sum(qty) filter (where qty > 0) as deducted,
        sum(qty) filter (where qty < 0) as returned
      from deductions group by product_id) as moved using (product_id)
    order by product_id`,
  "Payments": `select outcome as "fence", count(*) as "half messages",
      count(*) filter (where id in (select id from orders_inbox)) as "delivered",
      count(*) filter (where state = 'cancelled') as "cancelled",
      count(*) filter (where state in ('prepared', 'in_doubt')) as "undecided",
      (coalesce(sum(cents), 0) / 100.0)::numeric(14, 2) as "taken"
    from fence left join orders_outbox on id = message_id
      left join payments on payment_id = message_id
    group by outcome order by outcome desc`,
  "Messages": `select box as "box", count(*) as "messages",
      count(*) filter (where state = 'succeeded') as "succeeded",
      count(*) filter (where state = 'failed') as "failed",
      count(*) filter (where state = 'cancelled') as "cancelled",
      count(*) filter (where state not in ('succeeded', 'failed', 'cancelled')) as "open",
      count(*) filter (where attempts > 1) as "tried again",
      count(*) filter (where crashes > 0) as "taken over"
    from boxes group by box order by box desc`,
};

/** How many orders there are, and how many ended in each way. */
export const TOTALS = `select count(*) as orders,
    count(*) filter (where status = 'succeeded') as succeeded,
    count(*) filter (where status = 'failed') as compensated
  from orders`;
