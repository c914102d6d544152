/**
 * A bus as QStash needs it: whatever is not done yet is refused until it is time, and what failed for good
 * is refused for ever, so that the bus's own schedule drives QStash.
 *
 * @module
 */
import type { DeliveryResult, Receiver } from "../core/ports/transport.ts";
import type { PushDelivery } from "../core/ports/push_delivery.ts";

/** When a delivery that met a bus that stops is wanted again, in milliseconds: as long as a stop takes. */
const STOPPING_RETRY_MS = 30_000;

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

/** The receiver, for a delivery that says too little to drive QStash's redeliveries. */
export function forUnboundQstash(receiver: Receiver): Receiver {
  return {
    subscribes: (name) => receiver.subscribes(name),
    deliver: async (messages, options) =>
      (await receiver.deliver(messages, options)).map(afterTheStop),
  };
}

/** QStash counts each delivery, so it is asked to wait until another process has taken over. */
function afterTheStop(result: DeliveryResult): DeliveryResult {
  if (result.kind !== "refused" || result.code !== "stopping") return result;
  return { ...result, retryAfterMs: Math.max(result.retryAfterMs ?? 0, STOPPING_RETRY_MS) };
}

function asQstashNeeds(result: DeliveryResult): DeliveryResult {
  switch (result.kind) {
    case "accepted": {
      const { retryAfterMs } = result;
      // A bus that runs handles it by itself.
      if (retryAfterMs === undefined) return result;
      return { kind: "refused", reason: "It is not handled yet", retryAfterMs };
    }
    case "refused":
      return afterTheStop(result);
    case "failed":
      // A bus with a store publishes the failure callback itself.
      return { kind: "rejected", reason: "It has failed, and is kept as failed", isTold: true };
    default:
      return result;
  }
}
