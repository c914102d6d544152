/**
 * Checks the body of a stored message before its delivery is answered, for senders who read only
 * the answer. The message is handled, and settled as failed, as any other.
 *
 * @module
 */
import { failureOf } from "../../core/lifecycle/outcome.ts";
import type { Message } from "../../core/message/message.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { DeliveryResult } from "../../core/ports/transport.ts";
import type { Subscriber } from "../api/subscriber.ts";
import { withinTime } from "../async/deadline.ts";
import { decodeBody } from "../publish/body_codec.ts";

/** How long a schema may take until the delivery is answered without it, in milliseconds. */
const LIMIT_MS = 1_000;

/** The result of a message whose body does not fit its contract; null for every other message. */
export async function resultIfUnreadable<Tx>(
  clock: Clock,
  { body }: Subscriber<Tx>,
  message: Message,
): Promise<DeliveryResult | null> {
  try {
    await withinTime(clock, LIMIT_MS, "The schema gave no result", () => decodeBody(body, message));
    return null;
  } catch (thrown) {
    const { code, reason } = failureOf(thrown, false);
    return code === "invalid_body" ? { kind: "failed", duplicate: false, reason } : null;
  }
}
