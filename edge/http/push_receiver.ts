/**
 * The receiver for push providers. A message that is not handled yet is refused until it is due, if the
 * provider redelivers. A message that failed for good is refused for good, if the provider dead-letters. So the
 * provider follows the bus's own schedule.
 *
 * @module
 */
import type { DeliveryResult, Receiver } from "../../core/ports/transport.ts";
import type { DialectDelivery } from "../auth/authenticate.ts";

/** The receiver, for one delivery of a push provider. */
export function pushReceiver(receiver: Receiver, push: DialectDelivery): Receiver {
  const { attempt, signedAtMs, bindsHeaders, dialect } = push;
  // Another attempt of a message without a signed id would be another message: what is stored is ours.
  const redelivers = bindsHeaders && dialect.redelivers;
  const deadLetters = bindsHeaders && dialect.deadLetters;
  // What is tried for the first time was sent just now: if it had failed before, somebody wants it tried
  // again, from the outbox or from the provider's dead letters.
  const afresh = bindsHeaders && attempt === 1 ? { afreshAtMs: signedAtMs } : {};
  return {
    subscribes: (name) => receiver.subscribes(name),
    deliver: async (messages, options) => {
      const own = { ...options, ...(redelivers ? { redelivers } : {}), ...afresh };
      return (await receiver.deliver(messages, own)).map(translated);
    },
  };

  function translated(result: DeliveryResult): DeliveryResult {
    switch (result.kind) {
      case "accepted": {
        const { retryAfterMs } = result;
        // A bus that runs gives no time: it handles the message on its own.
        if (!redelivers || retryAfterMs === undefined) return result;
        return { kind: "refused", reason: "It is not handled yet", retryAfterMs };
      }
      case "refused": {
        if (result.code !== "stopping") return result;
        const retryAfterMs = Math.max(result.retryAfterMs ?? 0, dialect.stoppingRetryMs);
        return { ...result, retryAfterMs };
      }
      case "failed":
        // A bus with a store publishes the failure callback itself.
        return deadLetters
          ? {
            kind: "rejected",
            reason: "It has failed, and is kept as failed",
            isPublisherNotified: true,
          }
          : result;
      default:
        return result;
    }
  }
}
