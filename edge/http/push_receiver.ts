/**
 * Wraps a receiver for push providers, so that the provider follows the retry schedule of the bus.
 * If the provider redelivers, a message that is not handled yet is refused until it is due. If it
 * dead-letters, a message that failed for good is refused for good.
 *
 * @module
 */
import type { DeliveryResult, Receiver } from "../../core/ports/transport.ts";
import type { DialectDelivery } from "../auth/authenticate.ts";

/** Wraps the receiver for one delivery of a push provider. */
export function pushReceiver(receiver: Receiver, push: DialectDelivery): Receiver {
  const { attempt, signedAtMs, bindsHeaders, dialect } = push;
  // Without a signed id, another attempt would be a different message. The stored message is then
  // retried by the bus.
  const redelivers = bindsHeaders && dialect.redelivers;
  const deadLetters = bindsHeaders && dialect.deadLetters;
  // A first attempt was just sent. If the message failed before, an operator has sent it again,
  // from the outbox or from the provider's dead letters.
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
        // A running bus returns no time, because it handles the message itself.
        if (!redelivers || retryAfterMs === undefined) return result;
        return { kind: "refused", reason: "It is not handled yet", retryAfterMs };
      }
      case "refused": {
        if (result.code !== "stopping") return result;
        const retryAfterMs = Math.max(result.retryAfterMs ?? 0, dialect.stoppingRetryMs);
        return { ...result, retryAfterMs };
      }
      case "failed":
        // A bus with a store publishes the failure callback.
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
