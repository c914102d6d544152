/**
 * Whether everything is done that a run began.
 *
 * @module
 */
import { rest } from "./rest.ts";
import type { ServiceName } from "./service_event.ts";

/** How long orders may take to settle, in milliseconds, after the last one is placed. */
const SETTLE_MS = 90_000;
const LOOK_EVERY_MS = 250;

/** Waits until no order is open and no outbox or inbox has anything to do, or it takes too long. */
export async function settled(
  url: (name: ServiceName) => string,
  signal: AbortSignal,
): Promise<void> {
  const untilMs = performance.now() + SETTLE_MS;
  while (performance.now() < untilMs) {
    const open = await Promise.all([
      openOrders(url("orders"), signal),
      openMessages(url("orders"), signal),
      openMessages(url("inventory"), signal),
    ]);
    if (open.every((count) => count === 0)) return;
    await rest(LOOK_EVERY_MS, signal);
  }
}

/** How many orders are not settled; null while the service does not answer. */
async function openOrders(ordersUrl: string, signal: AbortSignal): Promise<number | null> {
  const counts = await ask(`${ordersUrl}/orders`, signal) as
    | { status: string; orders: number }[]
    | null;
  if (counts === null) return null;
  return counts.filter(({ status }) => status !== "succeeded" && status !== "failed")
    .reduce((sum, { orders }) => sum + orders, 0);
}

/** How many messages a service has still to decide, to send or to handle; null while it does not answer. */
async function openMessages(url: string, signal: AbortSignal): Promise<number | null> {
  const counts = await ask(`${url}/messages`, signal) as
    | Record<"outbox" | "inbox", Record<"prepared" | "scheduled", number>>
    | null;
  if (counts === null) return null;
  return counts.outbox.prepared + counts.outbox.scheduled + counts.inbox.scheduled;
}

async function ask(url: string, signal: AbortSignal): Promise<unknown> {
  try {
    const response = await fetch(url, { signal });
    return await response.json();
  } catch {
    signal.throwIfAborted();
    return null;
  }
}
