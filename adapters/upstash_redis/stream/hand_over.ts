/**
 * Passes messages to the receiver. One that fails does not hold up the others.
 *
 * @module
 */
import type { Message } from "../../../core/message/message.ts";
import type { AbortSignalLike } from "../../../core/ports/platform.ts";
import type { DeliveryResult, Receiver } from "../../../core/ports/transport.ts";
import { unlessAborted } from "./abort.ts";

/** After how many failures in a row it is the receiver that fails, not the messages. */
const FAILURES_IN_A_ROW = 3;

/** What a receiver made of a message. */
export type Handed =
  | DeliveryResult
  /** It threw, or was not asked. `alone` when it was about this message and no other. */
  | { readonly kind: "unanswered"; readonly alone: boolean; readonly reason: string };

/** Hands over all at once and, where that fails, one by one. */
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
        results[i] ?? { kind: "unanswered", alone: false, reason: "The receiver gave no answer" }
      ),
    };
  } catch {
    // Its words are for its own log: what is parked is kept in a database that services share.
    return { kind: "failed", reason: "The receiver failed" };
  }
}
