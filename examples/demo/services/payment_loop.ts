/**
 * The part of the order service that takes the payments of orders whose goods are deducted. The money is in
 * the bank's database and the message in the order service's, so the message is a half message.
 *
 * @module
 */
import type { Bus } from "@atlast/bus";
import { type Bank, NotEnoughMoney, type OrderBook, type UnpaidOrder } from "./business_data.ts";
import { PaymentTaken, ReturnQty } from "../contracts.ts";
import { createPaymentId } from "./payment_id.ts";
import { sleep } from "../sleep.ts";

/** What the payment loop needs. */
export interface PaymentLoopParts<Tx, BankTx> {
  /** The bus of the order service, with the fence in the bank's database. */
  readonly bus: Bus<Tx, BankTx>;
  /** The order service's own data. */
  readonly orderBook: OrderBook<Tx>;
  /** The bank. */
  readonly bank: Bank<BankTx>;
}

const POLL_MS = 100;
const CONCURRENCY = 3;
/** After so many failed attempts the order is failed. */
const MAX_ATTEMPTS = 5;

/** Takes payments until `signal` aborts. */
export async function takePayments<Tx, BankTx>(
  parts: PaymentLoopParts<Tx, BankTx>,
  signal: AbortSignal,
): Promise<void> {
  // Payments that are taken and confirmed: they need no more work.
  const taken = new Set<string>();
  while (!signal.aborted) {
    try {
      const orders = await parts.orderBook.listUnpaid();
      const left = orders.filter((order) => !taken.has(idOf(order))).values();
      const loop = async () => {
        for (const order of left) {
          if (signal.aborted) return;
          if (await processPayment(parts, order)) taken.add(idOf(order));
        }
      };
      await Promise.all(Array.from({ length: CONCURRENCY }, loop));
    } catch (error) {
      console.error(`The payment loop continues after ${error}`);
    }
    await sleep(POLL_MS, signal).catch(() => {});
  }
}

/** Takes the payment of an order, or finds out what became of it. Returns whether it is taken. */
async function processPayment<Tx, BankTx>(
  parts: PaymentLoopParts<Tx, BankTx>,
  order: UnpaidOrder,
): Promise<boolean> {
  const begun = await parts.bus.halfMessages.query(idOf(order));
  switch (begun?.state) {
    case undefined:
      return await takePayment(parts, order);
    case "prepared":
    case "in_doubt":
      // A process died during the payment; a check-back decides it.
      return false;
    case "cancelled":
      await retryPayment(parts, order);
      return false;
    default:
      return true;
  }
}

async function takePayment<Tx, BankTx>(
  parts: PaymentLoopParts<Tx, BankTx>,
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
  if (end.error instanceof NotEnoughMoney) await failOrder(parts, order, "not enough money");
  else await retryPayment(parts, order);
  return false;
}

function idOf({ orderId, attempt }: UnpaidOrder): string {
  return createPaymentId(orderId, attempt);
}

/** Starts another attempt, after a payment that was not taken and never will be. */
async function retryPayment<Tx, BankTx>(
  parts: PaymentLoopParts<Tx, BankTx>,
  order: UnpaidOrder,
): Promise<void> {
  if (order.attempt >= MAX_ATTEMPTS) {
    return await failOrder(parts, order, "the bank could not take the money");
  }
  await parts.orderBook.startNextPayment(order);
}

async function failOrder<Tx, BankTx>(
  { bus, orderBook }: PaymentLoopParts<Tx, BankTx>,
  order: UnpaidOrder,
  reason: string,
): Promise<void> {
  const { orderId } = order;
  await orderBook.failUnpaid(
    bus,
    order,
    reason,
    (tx) => bus.publish(ReturnQty, { orderId }, { tx, id: `return-${orderId}` }),
  );
}
