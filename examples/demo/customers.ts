/**
 * The customers: place orders over HTTP, a few at the same time.
 *
 * @module
 */
import type { PlannedOrder } from "./order_plan.ts";
import { sleep } from "./sleep.ts";

/** How many place an order at the same time. */
const CONCURRENCY = 6;
/** How long each waits between two orders, in milliseconds, as this is no benchmark. */
const PAUSE_MS = 60;
/** How long a customer retries, in milliseconds. A service that was killed is soon up again. */
const TIMEOUT_MS = 30_000;
const RETRY_MS = 200;

/** The service cannot answer now, for example because its database is down. */
class ServiceUnavailable extends Error {}

/** Places all orders, and calls `placed` for each when the service has confirmed it. */
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
      await sleep(PAUSE_MS, signal);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, customer));
}

/** Places an order, and retries until there is an answer. The order's number makes it the same order. */
async function place(ordersUrl: string, order: PlannedOrder, signal: AbortSignal): Promise<void> {
  const untilMs = performance.now() + TIMEOUT_MS;
  for (;;) {
    try {
      return await placeOnce(ordersUrl, order, signal);
    } catch (error) {
      signal.throwIfAborted();
      // `fetch` throws a TypeError if no server answers.
      const mayPass = error instanceof TypeError || error instanceof ServiceUnavailable;
      if (!mayPass || performance.now() > untilMs) throw error;
      await sleep(RETRY_MS, signal);
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
  if (response.status >= 500) throw new ServiceUnavailable(`order ${orderId}: ${response.status}`);
  if (!response.ok) {
    throw new Error(`Cannot place order ${orderId}: got ${response.status} ${text}`);
  }
}
