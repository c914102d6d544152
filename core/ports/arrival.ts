/**
 * Whether a message may have arrived, judged from the results of sending it.
 *
 * @module
 */
import type { FailureCode } from "../lifecycle/failure_code.ts";
import type { Arrival, SendResult } from "./transport.ts";

/**
 * Whether a message that not every destination took may have taken effect: `no` only if each of them says
 * that it has none of it.
 */
export function arrivalOf(results: readonly SendResult[]): Arrival {
  return results.every(hasNotArrived) ? "no" : "unknown";
}

/** Whether the result says that the message did not arrive. */
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

/**
 * Whether a message may have taken effect that a receiver did not take: it says so, or another group there
 * may have taken it, where only one of them has another message with its id, or has forgotten it.
 */
export function arrivalOfRefusal(
  { code, arrived }: { readonly code?: FailureCode | undefined; readonly arrived?: string },
): Arrival {
  const isOfOneGroup = code === "id_conflict" || code === "too_old_to_deduplicate";
  return (arrived === undefined || arrived === "no") && !isOfOneGroup ? "no" : "unknown";
}

/** What a receiver that is not there any more, or not yet, is asked to be left alone for, in milliseconds. */
export const STOPPING_RETRY_MS = 1_000;
