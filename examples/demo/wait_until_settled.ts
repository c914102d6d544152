/**
 * Waits until the services have finished everything that a run started.
 *
 * @module
 */
import { sleep } from "./sleep.ts";
import type { ServiceName } from "./services/service_event.ts";

/** How long orders may take to end after the last one is placed, in milliseconds. */
const TIMEOUT_MS = 90_000;
const POLL_MS = 250;

/** Waits until no order is open and no outbox or inbox has work left, or until the time is up. */
export async function waitUntilSettled(
  url: (name: ServiceName) => string,
  signal: AbortSignal,
): Promise<void> {
  const untilMs = performance.now() + TIMEOUT_MS;
  while (performance.now() < untilMs) {
    const open = await Promise.all([
      countOpenOrders(url("orders"), signal),
      countOpenMessages(url("orders"), signal),
      countOpenMessages(url("inventory"), signal),
    ]);
    if (open.every((count) => count === 0)) return;
    await sleep(POLL_MS, signal);
  }
}

/** How many orders have not ended; null if the service does not answer. */
async function countOpenOrders(ordersUrl: string, signal: AbortSignal): Promise<number | null> {
  const counts = await fetchJson(`${ordersUrl}/orders`, signal) as
    | { status: string; orders: number }[]
    | null;
  if (counts === null) return null;
  return counts.filter(({ status }) => status !== "succeeded" && status !== "failed")
    .reduce((sum, { orders }) => sum + orders, 0);
}

/** How many messages a service still has to decide, send or handle; null if it does not answer. */
async function countOpenMessages(url: string, signal: AbortSignal): Promise<number | null> {
  const counts = await fetchJson(`${url}/messages`, signal) as
    | Record<"outbox" | "inbox", Record<"prepared" | "scheduled", number>>
    | null;
  if (counts === null) return null;
  return counts.outbox.prepared + counts.outbox.scheduled + counts.inbox.scheduled;
}

async function fetchJson(url: string, signal: AbortSignal): Promise<unknown> {
  try {
    const response = await fetch(url, { signal });
    return await response.json();
  } catch {
    signal.throwIfAborted();
    return null;
  }
}
