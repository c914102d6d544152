/**
 * The customers: they place orders over HTTP, a few at a time.
 *
 * @module
 */
import type { PlannedOrder } from "./order_plan.ts";
import { rest } from "./rest.ts";

/** How many place an order at the same time. */
const AT_ONCE = 6;
/** How long each rests between two orders, in milliseconds: a shop, not a benchmark. */
const REST_MS = 60;
/** How long a customer tries in vain, in milliseconds: a service that was killed is soon up again. */
const PATIENCE_MS = 30_000;
const TRY_AGAIN_MS = 200;

/** The service has trouble of its own, such as a database that is not there just now. */
class ServiceTrouble extends Error {}

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

/** Places an order, again and again while there is no answer: the order's number makes it the same order. */
async function place(ordersUrl: string, order: PlannedOrder, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await placeOnce(ordersUrl, order, signal);
    } catch (error) {
      signal.throwIfAborted();
      // `fetch` throws a TypeError when nobody answers.
      const mayPass = error instanceof TypeError || error instanceof ServiceTrouble;
      if (!mayPass || performance.now() > untilMs) throw error;
      await rest(TRY_AGAIN_MS, signal);
    }
  }
}

async function placeOnce(
  ordersUrl: string,
  order: PlannedOrder,
  signal: AbortSignal,
): Promise<void> {
  const { orderId, customerId, productId, qty } = order;
  const response = await fetch(`${ordersUrl}/orders/${orderId}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ customerId, productId, qty }),
    signal,
  });
  const text = await response.text();
  if (response.status >= 500) throw new ServiceTrouble(`order ${orderId}: ${response.status}`);
  if (!response.ok) {
    throw new Error(`Cannot place order ${orderId}: got ${response.status} ${text}`);
  }
}
