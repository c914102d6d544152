/**
 * A transport that must be pulled, made to look like one that brings messages by itself: what it says of a
 * message is found out by pulling.
 *
 * @module
 */
import type { Message } from "../../../core/message/message.ts";
import type { AbortSignalLike } from "../../../core/ports/platform.ts";
import type {
  DeliveryResult,
  Receiver,
  SendResult,
  Transport,
} from "../../../core/ports/transport.ts";
import type { PullResult } from "../../../core/ports/pull.ts";
import { ROUTED } from "./subject.ts";

/** Later than any receiver of the suite asks for, in milliseconds, and sooner than others take over. */
const LATER_MS = 10_000;

/**
 * Sends, lets the receiver have what came, and then looks what comes again: `sent` is what does not, and
 * a failure to be retried is what does. So a message that was acknowledged though the receiver did not keep
 * it shows, and one that was kept and yet comes again. `parked` gives what was set aside for good: the
 * reasons, by id.
 */
export function pulled(
  transport: Transport,
  receiver: Receiver,
  parked: () => Promise<ReadonlyMap<string, string>>,
): Transport {
  const handed = new Set<string>();
  const cameAgain = new Set<string>();
  const answered = new Map<string, DeliveryResult>();
  let nowMs = 1_800_000_000_000;
  // One at a time, or one call would look at what another has not handed over yet.
  let before: Promise<unknown> = Promise.resolve();

  const pullAll = async (deliver: Receiver["deliver"], signal: AbortSignalLike) => {
    const results: PullResult[] = [];
    const request = { patterns: [ROUTED, "other.*"], limit: 100, nowMs, signal };
    for (let more = true; more && !signal.aborted;) {
      const result = await transport.pull?.(request, deliver);
      if (result === undefined) throw new Error("The transport has no pull");
      results.push(result);
      ({ more } = result);
    }
    return results;
  };

  const hand = async (messages: readonly Message[]) => {
    for (const { id } of messages) handed.add(id);
    const answers = await receiver.deliver(messages);
    messages.forEach(({ id }, i) => answers[i] && answered.set(id, answers[i]));
    return answers;
  };

  const exchange = async (signal: AbortSignalLike): Promise<number | null> => {
    const first = await pullAll(hand, signal);
    const next = first.map(({ nextAtMs }) => nextAtMs).find((atMs) => atMs !== null) ?? null;
    const waitMs = next === null ? null : next - nowMs;
    nowMs += LATER_MS;
    await pullAll(async (messages) => {
      // A call at the same time may have sent some just now.
      const fresh = messages.filter(({ id }) => !handed.has(id));
      const answers = fresh.length === 0 ? [] : await hand(fresh);
      return messages.map((message): DeliveryResult => {
        const index = fresh.indexOf(message);
        if (index >= 0) return answers[index] as DeliveryResult;
        cameAgain.add(message.id);
        return { kind: "accepted" };
      });
    }, new AbortController().signal);
    return waitMs;
  };

  const send = async (messages: readonly Message[], signal: AbortSignalLike) => {
    const results = await transport.send(messages, signal);
    const exchanging = before.catch(() => {}).then(() => exchange(signal));
    before = exchanging;
    const waitMs = await exchanging;
    const asides = await parked();
    return messages.map(({ id }, i): SendResult => {
      const result = results[i];
      if (result === undefined) throw new Error(`no result for ${id}`);
      const reasonOfParking = asides.get(id);
      if (reasonOfParking !== undefined) {
        return { kind: "failed", reason: reasonOfParking, retryable: false };
      }
      if (result.kind !== "sent" || !cameAgain.has(id)) return result;
      const answer = answered.get(id);
      const reason = answer?.kind === "refused" ? answer.reason : "not kept";
      if (answer?.kind === "refused" && answer.code === "stopping") {
        return { kind: "stopping", reason, retryAfterMs: waitMs ?? 0 };
      }
      const again = { kind: "failed", reason, retryable: true } as const;
      return waitMs === null ? again : { ...again, retryAfterMs: waitMs };
    });
  };

  return {
    capabilities: transport.capabilities,
    routes: (name, headers) => transport.routes(name, headers),
    send,
    close: (own) => transport.close(own),
  };
}
