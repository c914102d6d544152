/**
 * The cashier: takes the money for orders whose goods are deducted. The money is in the bank's database
 * and the message in the order service's, so the message is a half message.
 *
 * @module
 */
import type { Bus } from "@atlast/bus";
import { type Bank, NotEnoughMoney, type OrderBook, type UnpaidOrder } from "./business.ts";
import { PaymentTaken, ReturnQty } from "./contracts.ts";
import { paymentIdOf } from "./payment_id.ts";
import { rest } from "./rest.ts";

/** What the cashier works with. */
export interface CashierParts<Tx, BankTx> {
  /** The bus of the order service, with the fence in the bank's database. */
  readonly bus: Bus<Tx, BankTx>;
  /** The order service's own data. */
  readonly book: OrderBook<Tx>;
  /** The bank. */
  readonly bank: Bank<BankTx>;
}

const LOOK_EVERY_MS = 100;
const AT_ONCE = 3;
/** A bank that fails so often is not asked again for this order. */
const MAX_ATTEMPTS = 5;

/** Takes payments until `signal` says stop. */
export async function takePayments<Tx, BankTx>(
  parts: CashierParts<Tx, BankTx>,
  signal: AbortSignal,
): Promise<void> {
  // Payments that need no second look: their messages are on their way.
  const taken = new Set<string>();
  while (!signal.aborted) {
    try {
      const orders = await parts.book.unpaid();
      const left = orders.filter((order) => !taken.has(idOf(order))).values();
      const desk = async () => {
        for (const order of left) {
          if (signal.aborted) return;
          if (await pay(parts, order)) taken.add(idOf(order));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, desk));
    } catch (error) {
      console.error(`The cashier goes on after ${error}`);
    }
    await rest(LOOK_EVERY_MS, signal).catch(() => {});
  }
}

/** Takes the payment of an order, or sees what became of it; says whether it is taken. */
async function pay<Tx, BankTx>(
  parts: CashierParts<Tx, BankTx>,
  order: UnpaidOrder,
): Promise<boolean> {
  const begun = await parts.bus.halfMessages.query(idOf(order));
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

async function take<Tx, BankTx>(
  parts: CashierParts<Tx, BankTx>,
  order: UnpaidOrder,
): Promise<boolean> {
  const { orderId, customerId, priceCents: cents } = order;
  const id = idOf(order);
  const payment = { paymentId: id, orderId, customerId, cents };
  const end = await parts.bus.transact(
    PaymentTaken,
    payment,
    (tx) => parts.bank.take(tx, payment),
    { id },
  );
  if (end.outcome !== "aborted") return end.outcome === "committed";
  if (end.error instanceof NotEnoughMoney) await giveUp(parts, order, "not enough money");
  else await payAgain(parts, order);
  return false;
}

function idOf({ orderId, attempt }: UnpaidOrder): string {
  return paymentIdOf(orderId, attempt);
}

/** The payment was not taken and never will be, so another can be tried. */
async function payAgain<Tx, BankTx>(
  parts: CashierParts<Tx, BankTx>,
  order: UnpaidOrder,
): Promise<void> {
  if (order.attempt >= MAX_ATTEMPTS) {
    return await giveUp(parts, order, "the bank could not take the money");
  }
  await parts.book.payAgain(order);
}

async function giveUp<Tx, BankTx>(
  { bus, book }: CashierParts<Tx, BankTx>,
  order: UnpaidOrder,
  reason: string,
): Promise<void> {
  const { orderId } = order;
  await book.giveUp(
    bus,
    order,
    reason,
    (tx) => bus.publish(ReturnQty, { orderId }, { tx, id: `return-${orderId}` }),
  );
}
