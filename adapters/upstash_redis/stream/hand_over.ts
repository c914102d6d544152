/**
 * Passes messages to the receiver. A message that fails does not delay the others.
 *
 * @module
 */
import type { Message } from "../../../core/message/message.ts";
import type { AbortSignalLike } from "../../../core/ports/platform.ts";
import type { DeliveryResult, Receiver } from "../../../core/ports/transport.ts";
import { unlessAborted } from "./abort.ts";

/** After this many failures in a row the receiver counts as failing, not the messages. */
const FAILURES_IN_A_ROW = 3;

/** The receiver's result for a message. */
export type Handed =
  | DeliveryResult
  /** The receiver threw, or was not called. `alone` means that the call had this message only. */
  | { readonly kind: "unanswered"; readonly alone: boolean; readonly reason: string };

/** Passes all at once and, if that fails, one by one. */
export async function handOver(
  messages: readonly Message[],
  deliver: Receiver["deliver"],
  signal: AbortSignalLike,
): Promise<Handed[]> {
  const whole = await call(messages, deliver, signal);
  if (whole.kind === "answered") return whole.results;
  const handed: Handed[] = messages.map(() => ({
    kind: "unanswered",
    alone: messages.length === 1 && !signal.aborted,
    reason: whole.reason,
  }));
  if (messages.length === 1) return handed;
  for (let i = 0, failures = 0; i < messages.length && failures < FAILURES_IN_A_ROW; i++) {
    if (signal.aborted) break;
    const [result] = await handOver([messages[i] as Message], deliver, signal);
    if (result === undefined) continue;
    handed[i] = result;
    failures = result.kind === "unanswered" ? failures + 1 : 0;
  }
  return handed;
}

type Called =
  | { readonly kind: "answered"; readonly results: Handed[] }
  | { readonly kind: "failed"; readonly reason: string };

async function call(
  messages: readonly Message[],
  deliver: Receiver["deliver"],
  signal: AbortSignalLike,
): Promise<Called> {
  try {
    const results = await unlessAborted(() => deliver(messages), signal);
    return {
      kind: "answered",
      results: messages.map((_, i) =>
        results[i] ??
          { kind: "unanswered", alone: false, reason: "The receiver returned no result" }
      ),
    };
  } catch {
    // The text of its error is not stored, because services share the database with parked messages.
    return { kind: "failed", reason: "The receiver failed" };
  }
}
