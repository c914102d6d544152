/**
 * The customers: they place orders over HTTP, a few at a time.
 *
 * @module
 */
import type { PlannedOrder } from "./order_plan.ts";

/** How many place an order at the same time. */
const AT_ONCE = 6;
/** How long each rests between two orders, in milliseconds: a shop, not a benchmark. */
const REST_MS = 60;

/** Places all orders; `placed` is called for each when the service has said so. */
export async function placeOrders(
  ordersUrl: string,
  plan: readonly PlannedOrder[],
  placed: (order: PlannedOrder) => void,
  signal: AbortSignal,
): Promise<void> {
  const left = plan.values();
  const customer = async () => {
    for (const order of left) {
      await place(ordersUrl, order, signal);
      placed(order);
      await rest(REST_MS, signal);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, customer));
}

/** Waits, unless `signal` says stop. */
export async function rest(delayMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, delayMs);
    signal.addEventListener("abort", stop, { once: true });
  });
}

async function place(ordersUrl: string, order: PlannedOrder, signal: AbortSignal): Promise<void> {
  const { orderId, customerId, productId, qty } = order;
  const response = await fetch(`${ordersUrl}/orders/${orderId}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ customerId, productId, qty }),
    signal,
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(`Cannot place order ${orderId}: got ${response.status} ${text}`);
  }
}
