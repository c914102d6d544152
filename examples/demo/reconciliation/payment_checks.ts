/**
 * What must hold of payments when a run has ended: the order service's database and the bank's agree,
 * although no transaction covers both. The queries are like those of {@link ./checks.ts}.
 *
 * @module
 */
import type { Check } from "./checks.ts";
import { PaymentTaken } from "../contracts.ts";

/** Whether the message of a payment succeeded in one of the order service's boxes. */
const DELIVERED_IN = (box: string, paymentId: string) =>
  `exists (select 1 from ${box} as sent where sent.id = ${paymentId}
    and sent.name = '${PaymentTaken.name}' and sent.state = 'succeeded')`;

/** Every check. */
export const PAYMENT_CHECKS: Record<string, Check> = {
  told: {
    claim: "every payment that was taken has its message, delivered and handled",
    about: "select count(*) as n from payments",
    broken: `select payment_id as what from payments
      where not ${DELIVERED_IN("orders_outbox", "payment_id")}
        or not ${DELIVERED_IN("orders_inbox", "payment_id")}`,
  },
  paid: {
    claim: "every order that succeeded was paid, by its customer and at its price",
    about: "select count(*) as n from orders where status = 'succeeded'",
    broken: `select 'order ' || order_id as what from orders where status = 'succeeded'
      and not exists (select 1 from payments where payments.order_id = orders.order_id
        and payments.customer_id = orders.customer_id and cents = price_cents)`,
  },
  paid_in_vain: {
    claim: "every payment that was taken made its order succeed",
    about: "select count(*) as n from payments",
    broken: `select payment_id as what from payments where not exists (select 1 from orders
      where orders.order_id = payments.order_id and status = 'succeeded')`,
  },
  paid_twice: {
    claim: "no order was paid twice",
    about: "select count(distinct order_id) as n from payments",
    broken: `select 'order ' || order_id as what from payments
      group by order_id having count(*) > 1`,
  },
  aborted: {
    claim: "no message of a payment that was not taken was delivered",
    about: `select count(*) as n from orders_inbox where name = '${PaymentTaken.name}'`,
    broken: `select id as what from orders_inbox where name = '${PaymentTaken.name}'
      and not exists (select 1 from payments where payment_id = id)`,
  },
  fenced: {
    claim: "the fence has the same outcome for every payment as the bank and the message",
    about: "select count(*) as n from fence",
    broken: `select coalesce(message_id, payment_id) as what
      from fence full join payments on payment_id = message_id
        left join orders_outbox on id = coalesce(message_id, payment_id)
      where (outcome = 'committed') is distinct from (payment_id is not null)
        or (outcome = 'aborted') is distinct from (state = 'cancelled')`,
  },
  decided: {
    claim: "no half message is left undecided or in doubt",
    about: `select count(*) as n from orders_outbox where name = '${PaymentTaken.name}'`,
    broken: `select id || ' is ' || state as what from boxes
      where state in ('prepared', 'in_doubt')`,
  },
  bank: {
    claim: "money adds up in the bank for every customer: opening = balance + payments",
    about: "select count(*) as n from accounts",
    broken: `select 'customer ' || customer_id as what from accounts
      where opening_cents <> balance_cents + (select coalesce(sum(cents), 0) from payments
        where payments.customer_id = accounts.customer_id)`,
  },
  spent: {
    claim: "what every customer spent in the order service is what the bank took",
    about: "select count(*) as n from wallets",
    broken: `select 'customer ' || customer_id as what from wallets
      where spent_cents <> (select coalesce(sum(cents), 0) from payments
        where payments.customer_id = wallets.customer_id)`,
  },
};
