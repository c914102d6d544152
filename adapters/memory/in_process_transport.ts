/**
 * The transport between buses of one process.
 *
 * @module
 */
import { withTimeLeft } from "../../core/message/deadline.ts";
import { HEADER } from "../../core/message/headers.ts";
import { arrivalOf, arrivalOfRefusal } from "../../core/ports/arrival.ts";
import {
  copyOfMessage,
  MAX_BODY_BYTES,
  type Message,
  type MessageHeaders,
} from "../../core/message/message.ts";
import type { AbortSignalLike } from "../../core/ports/platform.ts";
import type {
  DeliveryResult,
  Receiver,
  SendResult,
  Transport,
  TransportCapabilities,
} from "../../core/ports/transport.ts";
import { limitOf, limitSend } from "../../core/ports/send_limit.ts";
import { receiversAfterClose } from "../../core/ports/receivers.ts";
import { textOfThrown } from "../../core/user_code/thrown.ts";

/** How many messages one call takes: a number that an inbox stores well in one statement. */
const MAX_BATCH = 1_000;

/** The in-process transport, which a bus is always attached to. */
export interface InProcessTransport extends Transport {
  /** Adds a receiver; every message goes to all that subscribe to its name. */
  attach(receiver: Receiver): void;
}

/**
 * Makes a transport that delivers to the buses that use it. If several buses use one transport, each receives
 * the messages that any of them publishes. A message counts as sent when all subscribing buses accepted it.
 */
export function inProcessTransport(): InProcessTransport {
  return new ReceiverTransport();
}

class ReceiverTransport implements InProcessTransport {
  readonly capabilities: TransportCapabilities = {
    maxBatch: MAX_BATCH,
    maxBodyBytes: MAX_BODY_BYTES,
  };
  #receivers = new Set<Receiver>();

  attach(receiver: Receiver): void {
    this.#receivers.add(receiver);
  }

  routes(name: string, headers: MessageHeaders = {}): boolean {
    // A bus of this process has no URL.
    return headers[HEADER.destination] === undefined &&
      [...this.#receivers].some((receiver) => receiver.subscribes(name));
  }

  async send(messages: readonly Message[], signal: AbortSignalLike): Promise<SendResult[]> {
    const taken: SendResult[][] = messages.map(() => []);
    await unlessAborted(signal, () =>
      Promise.all([...this.#receivers].map(async (receiver) => {
        const indexes = [...messages.keys()].filter((i) =>
          receiver.subscribes(at(messages, i).name)
        );
        if (indexes.length === 0) return;
        const results = await sendTo(receiver, indexes.map((i) => at(messages, i)));
        results.forEach((result, n) => at(taken, at(indexes, n)).push(result));
      })));
    return taken.map((results, i) => combined(results, at(messages, i).name));
  }

  close(receiver?: Receiver): Promise<void> {
    this.#receivers = receiversAfterClose(this.#receivers, receiver);
    return Promise.resolve();
  }
}

/** One receiver's answers, in order. A receiver that throws does not affect the others. */
async function sendTo(receiver: Receiver, messages: readonly Message[]): Promise<SendResult[]> {
  try {
    const copies = messages.map((message) => {
      const copy = withTimeLeft(copyOfMessage(message));
      const limit = limitOf(message);
      if (limit !== undefined) limitSend([copy], limit);
      return copy;
    });
    const results = await receiver.deliver(copies);
    return messages.map((message, i) => sendResult(results[i], message.name));
  } catch (error) {
    const reason = textOfThrown(error).message;
    return messages.map(() => ({ kind: "failed", reason, retryable: true }));
  }
}

function sendResult(result: DeliveryResult | undefined, name: string): SendResult {
  switch (result?.kind) {
    case "accepted":
    case "handled":
    // The receiver stored it as failed, and is responsible for it from now on.
    case "failed":
      return { kind: "sent" };
    case "no_subscriber":
      return unroutable(name);
    case "refused": {
      const { reason, retryAfterMs, code } = result;
      const rest = {
        reason,
        arrived: arrivalOfRefusal(result),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      };
      if (code === "stopping") return { kind: "stopping", ...rest };
      const delayedBy = code === undefined ? {} : { delayedBy: code };
      return { kind: "failed", retryable: true, ...rest, ...delayedBy };
    }
    case "rejected":
      return {
        kind: "failed",
        reason: result.reason,
        retryable: false,
        arrived: arrivalOfRefusal(result),
        ...(result.code === undefined ? {} : { code: result.code }),
      };
    case undefined:
      return { kind: "failed", reason: "The receiver returned no result for it", retryable: true };
  }
}

/**
 * The combined result of all receivers. If one did not accept the message, it is sent to all of them again,
 * and those that have it recognise its id.
 */
function combined(results: readonly SendResult[], name: string): SendResult {
  const undone = results.find((result) => result.kind === "failed") ??
    results.find((result) => result.kind === "stopping");
  if (undone === undefined) return results.find(({ kind }) => kind === "sent") ?? unroutable(name);
  const { arrived: _own, ...rest } = undone;
  return arrivalOf(results) === "no" ? { ...rest, arrived: "no" } : rest;
}

function unroutable(name: string): SendResult {
  return {
    kind: "unroutable",
    reason: `Cannot route ${JSON.stringify(name)}: no bus on this transport subscribes to it`,
  };
}

/** Waits for `work` until the signal aborts. Work that has begun goes on, and its result is ignored. */
function unlessAborted<Result>(
  signal: AbortSignalLike,
  work: () => Promise<Result>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    work().then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

function at<Item>(items: readonly Item[], index: number): Item {
  return items[index] as Item;
}
