/**
 * The cashier: takes the money for orders whose goods are deducted. The money is in the bank's database
 * and the message in the order service's, so the message is a half message.
 *
 * @module
 */
import type { Bus, SqlClient } from "@atlast/bus";
import { NotEnoughMoney, takePayment } from "./bank.ts";
import { PaymentTaken, ReturnQty } from "./contracts.ts";
import { endOrder } from "./order_book.ts";
import { paymentIdOf } from "./payment_id.ts";
import { rest } from "./rest.ts";

/** What the cashier works with. */
export interface CashierParts {
  /** The bus of the order service, with the fence in the bank's database. */
  readonly bus: Bus<SqlClient, SqlClient>;
  /** The order service's database. */
  readonly database: SqlClient;
}

const LOOK_EVERY_MS = 100;
const AT_ONCE = 3;
/** A bank that fails so often is not asked again for this order. */
const MAX_ATTEMPTS = 5;

interface UnpaidOrder {
  readonly order_id: number;
  readonly customer_id: number;
  readonly price_cents: number;
  readonly payment_attempt: number;
}

/** Takes payments until `signal` says stop. */
export async function takePayments(parts: CashierParts, signal: AbortSignal): Promise<void> {
  // Payments that need no second look: their messages are on their way.
  const taken = new Set<string>();
  while (!signal.aborted) {
    try {
      const orders = await unpaidOrders(parts.database);
      const left = orders.filter((order) => !taken.has(idOf(order))).values();
      const desk = async () => {
        for (const order of left) {
          if (signal.aborted) return;
          if (await pay(parts, order)) taken.add(idOf(order));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, desk));
    } catch (error) {
      console.error("The cashier goes on after", error);
    }
    await rest(LOOK_EVERY_MS, signal).catch(() => {});
  }
}

async function unpaidOrders({ query }: SqlClient): Promise<UnpaidOrder[]> {
  const { rows } = await query(
    `select order_id, customer_id, price_cents, payment_attempt from orders
     where status = 'paying' order by order_id`,
  );
  return rows as UnpaidOrder[];
}

/** Takes the payment of an order, or sees what became of it; says whether it is taken. */
async function pay(parts: CashierParts, order: UnpaidOrder): Promise<boolean> {
  const begun = await parts.bus.halves.query(idOf(order));
  switch (begun?.state) {
    case undefined:
      return await take(parts, order);
    case "prepared":
    case "in_doubt":
      // A process died over it, and check-back will find out.
      return false;
    case "cancelled":
      await payAgain(parts, order);
      return false;
    default:
      return true;
  }
}

async function take(parts: CashierParts, order: UnpaidOrder): Promise<boolean> {
  const { order_id: orderId, customer_id: customerId, price_cents: cents } = order;
  const id = idOf(order);
  const payment = { paymentId: id, orderId, customerId, cents };
  const end = await parts.bus.transact(
    PaymentTaken,
    payment,
    (tx) => takePayment(tx, payment),
    { id },
  );
  if (end.outcome !== "aborted") return end.outcome === "committed";
  if (end.error instanceof NotEnoughMoney) await giveUp(parts, order, "not enough money");
  else await payAgain(parts, order);
  return false;
}

function idOf({ order_id, payment_attempt }: UnpaidOrder): string {
  return paymentIdOf(order_id, payment_attempt);
}

/** The payment was not taken and never will be, so another can be tried. */
async function payAgain(parts: CashierParts, order: UnpaidOrder): Promise<void> {
  if (order.payment_attempt >= MAX_ATTEMPTS) {
    return await giveUp(parts, order, "the bank could not take the money");
  }
  await parts.database.query(
    `update orders set payment_attempt = payment_attempt + 1
     where order_id = $1 and payment_attempt = $2`,
    [order.order_id, order.payment_attempt],
  );
}

async function giveUp(
  { bus }: CashierParts,
  { order_id: orderId }: UnpaidOrder,
  reason: string,
): Promise<void> {
  await bus.transaction(async (tx) => {
    await endOrder(tx, orderId, reason);
    await bus.publish(ReturnQty, { orderId }, { tx, id: `return-${orderId}` });
  });
}
