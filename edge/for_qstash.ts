/**
 * A bus as QStash needs it: whatever is not done yet is refused until it is time, and what failed for good
 * is refused for ever, so that the bus's own schedule drives QStash.
 *
 * @module
 */
import type { DeliveryResult, Receiver } from "../core/ports.ts";
import type { PushDelivery } from "../core/push_delivery.ts";

/** The receiver, for one delivery of QStash's. */
export function forQstash(receiver: Receiver, { attempt, signedAtMs }: PushDelivery): Receiver {
  // What QStash tries for the first time was sent just now: if it had failed before, somebody wants it
  // tried again, from the outbox or from the DLQ.
  const afresh = attempt === 1 ? { afreshAtMs: signedAtMs } : {};
  return {
    subscribes: (name) => receiver.subscribes(name),
    deliver: async (messages, options) => {
      const results = await receiver.deliver(messages, { ...options, redelivers: true, ...afresh });
      return results.map(asQstashNeeds);
    },
  };
}

function asQstashNeeds(result: DeliveryResult): DeliveryResult {
  switch (result.kind) {
    case "accepted": {
      const { retryAfterMs } = result;
      // A bus that runs handles it by itself.
      if (retryAfterMs === undefined) return result;
      return { kind: "refused", reason: "It is not handled yet", retryAfterMs };
    }
    case "failed":
      // A bus with a store publishes the failure callback itself.
      return { kind: "rejected", reason: "It has failed, and is kept as failed", isTold: true };
    default:
      return result;
  }
}
