/**
 * Decides from the results of sending whether a message may have arrived.
 *
 * @module
 */
import type { Arrival, DeliveryResult, SendResult } from "./transport.ts";

/**
 * Whether a message that not every destination accepted may have taken effect: `no` only if no
 * destination can have received it.
 */
export function arrivalOf(results: readonly SendResult[]): Arrival {
  return results.every(hasNotArrived) ? "no" : "unknown";
}

/** Whether a result means that the message did not arrive. */
export function hasNotArrived(result: SendResult): boolean {
  switch (result.kind) {
    case "sent":
      return false;
    case "unroutable":
      return true;
    case "failed":
    case "stopping":
      return result.arrived === "no";
  }
}

/** The class of a refusal. */
type RefusalCode = (DeliveryResult & { readonly kind: "refused" | "rejected" })["code"];

/**
 * Whether a message that a receiver refused may have taken effect: the receiver says so, or the
 * refusal concerns only one group (`id_conflict` or `too_old_to_deduplicate`) and another may have
 * accepted it.
 */
export function arrivalOfRefusal(
  { code, arrived }: { readonly code?: RefusalCode | undefined; readonly arrived?: string },
): Arrival {
  const isOfOneGroup = code === "id_conflict" || code === "too_old_to_deduplicate";
  return (arrived === undefined || arrived === "no") && !isOfOneGroup ? "no" : "unknown";
}

/** The delay after which to retry a receiver that is stopping or not ready, in milliseconds. */
export const STOPPING_RETRY_MS = 1_000;
