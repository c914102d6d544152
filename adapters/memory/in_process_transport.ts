/**
 * The transport between buses of one process.
 *
 * @module
 */
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
import { receiversAfterClose } from "../../core/ports/receivers.ts";
import { textOfThrown } from "../../core/user_code/thrown.ts";

/** How many messages one call takes: what an inbox comfortably stores in one statement. */
const MAX_BATCH = 1_000;

/** The in-process transport, which a bus is always attached to. */
export interface InProcessTransport extends Transport {
  /** Adds a receiver; every message goes to all that subscribe to its name. */
  attach(receiver: Receiver): void;
}

/**
 * Makes a transport that delivers to the buses it is given to. Give one to several buses, and each
 * receives what any of them publishes. A message counts as sent when all that subscribe to it took it.
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
    // A URL is nothing that a bus of this process could be.
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

/** One receiver's answers, in order; a receiver that throws fails its own share alone. */
async function sendTo(receiver: Receiver, messages: readonly Message[]): Promise<SendResult[]> {
  try {
    const results = await receiver.deliver(messages.map(copyOfMessage));
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
    // It is stored as failed on the other side, which has it from here on.
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
      return code === "stopping"
        ? { kind: "stopping", ...rest }
        : { kind: "failed", retryable: true, ...rest };
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
      return { kind: "failed", reason: "The receiver gave no answer for it", retryable: true };
  }
}

/**
 * What all receivers together made of a message. When one did not take it, it is sent to all again;
 * those that took it know it by its id.
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

/** Waits for `work` until the signal says to stop; what was begun then goes on unheeded. */
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
