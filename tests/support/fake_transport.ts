/**
 * A transport that remembers what it was to send, and answers what a test tells it to.
 *
 * @module
 */
import type { Message } from "../../core/message/message.ts";
import { MAX_BODY_BYTES } from "../../core/message/message.ts";
import type { AbortSignalLike } from "../../core/ports/platform.ts";
import type { SendResult, Transport } from "../../core/ports/transport.ts";

/** What becomes of one message. */
export type Sender = (
  message: Message,
  signal: AbortSignalLike,
) => SendResult | Promise<SendResult>;

/** The result of a message that arrived. */
export const SENT: SendResult = { kind: "sent" };

/** A sending that failed and may be tried again; nothing of it arrived. */
export function refusal(reason: string, retryAfterMs?: number): SendResult {
  const refused = { kind: "failed", reason, retryable: true, arrived: "no" } as const;
  return retryAfterMs === undefined ? refused : { ...refused, retryAfterMs };
}

/** A transport for tests. */
export class FakeTransport implements Transport {
  readonly capabilities: { maxBatch: number; maxBodyBytes: number };
  /** The batches it was given, in order. */
  readonly batches: Message[][] = [];
  /** What becomes of each message; it may be changed on the way. */
  sender: Sender;
  /** Names it has no destination for. */
  readonly unknown = new Set<string>();
  isClosed = false;

  constructor(sender: Sender = () => SENT, maxBatch = 100, maxBodyBytes = MAX_BODY_BYTES) {
    this.sender = sender;
    this.capabilities = { maxBatch, maxBodyBytes };
  }

  /** Every message it was to send, in order. */
  get messages(): Message[] {
    return this.batches.flat();
  }

  /** The ids of {@linkcode messages}. */
  get ids(): string[] {
    return this.messages.map(({ id }) => id);
  }

  routes(name: string): boolean {
    return !this.unknown.has(name);
  }

  async send(messages: readonly Message[], signal: AbortSignalLike): Promise<SendResult[]> {
    this.batches.push([...messages]);
    return await Promise.all(messages.map((message) => this.sender(message, signal)));
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}
