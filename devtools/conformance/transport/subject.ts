/**
 * What the transport cases are run on, and the few things they all do to it.
 *
 * @module
 */
import type { Message } from "../../../core/message/message.ts";
import type {
  DeliveryResult,
  Receiver,
  SendResult,
  Transport,
} from "../../../core/ports/transport.ts";
import type { Cases } from "../suite.ts";

/** A name that leads to the receiver. */
export const ROUTED = "order.placed";

/** A name that leads nowhere. */
export const UNROUTED = "nobody.listens";

/** What transport cases start from. */
export interface TransportSubject {
  /** Makes a transport that carries messages named {@linkcode ROUTED} to this receiver, and no others. */
  start(receiver: Receiver): Promise<Transport>;
}

/** Cases for transports. */
export type TransportCases = Cases<TransportSubject>;

/** What was or would have been sent. */
export const SENT: SendResult = { kind: "sent" };

/** The answer of a receiver that has no room; in whole seconds, which is how HTTP says it. */
export const REFUSED: DeliveryResult = { kind: "refused", reason: "busy", retryAfterMs: 2_000 };

/** The answer of a receiver that is stopping. */
export const STOPPING: DeliveryResult = {
  kind: "refused",
  code: "stopping",
  reason: "The bus is stopping",
  retryAfterMs: 1_000,
};

/** Remembers what came, and answers what the case wants. */
export class TestReceiver implements Receiver {
  /** Every message that came, in order. */
  readonly messages: Message[] = [];
  readonly #answer: (message: Message) => DeliveryResult | Promise<DeliveryResult>;

  constructor(
    answer: (message: Message) => DeliveryResult | Promise<DeliveryResult> = () => ({
      kind: "accepted",
    }),
  ) {
    this.#answer = answer;
  }

  subscribes(name: string): boolean {
    return name === ROUTED;
  }

  async deliver(messages: readonly Message[]): Promise<DeliveryResult[]> {
    this.messages.push(...messages);
    return await Promise.all(messages.map(this.#answer));
  }
}

/** A message with the routed name; only what matters to a case is given. */
export function routed(id: string, changes: Partial<Message> = {}): Message {
  return {
    id,
    name: ROUTED,
    headers: {},
    contentType: "application/json",
    body: `{"id":${JSON.stringify(id)}}`,
    sentAtMs: 1_800_000_000_123,
    ...changes,
  };
}

/** `count` messages with the routed name. */
export function routedMany(count: number): Message[] {
  return Array.from({ length: count }, (_, i) => routed(`m-${i}`));
}

/** Sends; a call that throws counts as a failure of every message that may be tried again. */
export async function send(
  transport: Transport,
  messages: readonly Message[],
  signal: AbortSignal = new AbortController().signal,
): Promise<SendResult[]> {
  try {
    return await transport.send(messages, signal);
  } catch (error) {
    return messages.map(() => ({ kind: "failed", reason: String(error), retryable: true }));
  }
}

/** Whether a message will be sent again. */
export function isRetried(result: SendResult | undefined): boolean {
  if (result?.kind === "unroutable" || result?.kind === "stopping") return true;
  return result?.kind === "failed" && result.retryable;
}
