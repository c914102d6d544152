/**
 * Turns the result of a send into the lifecycle event of its record. The dispatcher calls it for
 * each message.
 *
 * @module
 */
import type { LifecycleEvent } from "../../core/lifecycle/lifecycle.ts";
import type { SendResult } from "../../core/ports/transport.ts";
import { hasNotArrived, STOPPING_RETRY_MS } from "../../core/ports/arrival.ts";
import type { Settings } from "../settings/settings.ts";
import { unroutable } from "./unroutable.ts";

/**
 * The event of a send.
 *
 * @param isAborted Whether this bus aborted the send because it is stopping.
 */
export function eventAfterSending<Tx>(
  settings: Pick<Settings<Tx>, "unroutableForMs">,
  result: SendResult | undefined,
  isAborted: boolean,
): LifecycleEvent {
  if (result?.kind === "sent") return { kind: "succeed" };
  if (result?.kind === "unroutable") return unroutable(settings, result.reason);
  const mayHaveArrived = result === undefined || !hasNotArrived(result);
  // A send that the bus aborted says nothing about the receiver.
  if (isAborted) return { kind: "release", delayMs: 0, mayHaveArrived };
  if (result === undefined) {
    const reason = "The transport gave no result";
    return { kind: "fail", reason, retryable: true, mayHaveArrived };
  }
  // Its receiver did not begin: the reason then says how many attempts there were before.
  if (result.kind === "failed" && isDeadline(result)) return { kind: "deadline_exceeded" };
  if (result.kind === "failed") {
    const { arrived: _arrived, ...failure } = result;
    return { ...failure, kind: "fail", mayHaveArrived };
  }
  const { reason, retryAfterMs = 0 } = result;
  // A receiver that always asks for an immediate retry must not keep this bus busy.
  const delayMs = Math.max(retryAfterMs, STOPPING_RETRY_MS);
  return { kind: "stopping", reason, delayMs, mayHaveArrived };
}

function isDeadline(result: SendResult & { readonly kind: "failed" }): boolean {
  return result.code === "deadline_exceeded" && !result.retryable && hasNotArrived(result);
}
