/**
 * The context that a handler gets for one attempt.
 *
 * @module
 */
import type { Contract } from "../../core/message/contract.ts";
import { wireHeaders } from "../../core/message/headers.ts";
import { copyOfMessage, type Message, type MessageHeaders } from "../../core/message/message.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { Begun } from "../async/unawaited.ts";
import { transactionEnded } from "../publish/joined_transactions.ts";
import {
  type CallbackChoices,
  callbackChoices,
  requestedCallback,
} from "../publish/callback_message.ts";
import type { PublishOptions } from "../api/publish_options.ts";
import type { Receipt } from "../api/publish_options.ts";
import { guardListeners } from "../async/guarded_signal.ts";
import type { CallbackControl, HandlerContext } from "../api/subscriber.ts";

/** What is handled, and how often it was before. */
type InHand = Pick<StoredRecord, "message" | "group" | "attempts">;

/** What publishes what a handler publishes. */
export interface HandlerPublisher<Tx> {
  /** Publishes one message. */
  publish(contract: Contract, body: unknown, options: PublishOptions<Tx>): Promise<Receipt>;
  /** Is told of a publish that was refused because its work had ended, and that nobody may wait for. */
  refused?(error: unknown): void;
}

/**
 * The context of one attempt. A class, and what few handlers ask for is made when it is asked for: with
 * closures for all of it the context cost more than a small handler does.
 */
export class Handling<Tx> implements HandlerContext<Tx> {
  readonly group: string;
  readonly attempt: number;
  readonly tx: Tx;
  /** As it is stored. It decides what becomes of the reply, so no handler is given it. */
  readonly #message: Message;
  #copy: Message | undefined;
  readonly #signal: AbortSignal;
  readonly #publisher: HandlerPublisher<Tx>;
  #guarded: AbortSignal | undefined;
  #begun: Begun | undefined;
  #choices: CallbackChoices | undefined;
  #isOver = false;

  constructor(record: InHand, tx: Tx, signal: AbortSignal, publisher: HandlerPublisher<Tx>) {
    this.#message = record.message;
    this.group = record.group;
    this.attempt = record.attempts + 1;
    this.tx = tx;
    this.#signal = signal;
    this.#publisher = publisher;
  }

  /** A copy of its own for each attempt: other groups, and the next attempt, see none of its changes. */
  get message(): Message {
    return this.#copy ??= copyOfMessage(this.#message);
  }

  get signal(): AbortSignal {
    return this.#guarded ??= guardListeners(this.#signal);
  }

  get headers(): MessageHeaders {
    return wireHeaders(this.#message);
  }

  get callback(): CallbackControl {
    return this.choices.control;
  }

  /** A getter, so that a handler may take it out of the context. */
  get publish(): HandlerContext<Tx>["publish"] {
    return (contract: Contract, value: unknown, options = {}) => {
      const { tx } = this;
      if (tx !== undefined) {
        return this.#scope().start(() =>
          this.#publisher.publish(contract, value, { ...options, tx })
        );
      }
      // What is stored by itself may be published later too; nothing waits for it then.
      const publish = () => this.#publisher.publish(contract, value, options);
      return this.#isOver ? publish() : this.#scope().start(publish);
    };
  }

  /** Waits for what the handler has begun to publish; null where it has not. */
  finished(): Promise<void> | null {
    return this.#begun?.finished() ?? null;
  }

  /** The handler has ended: what it publishes from now on is refused, if it is to be in its transaction. */
  close(): void {
    this.#isOver = true;
    this.#begun?.close();
  }

  /** What the handler chose for its callback. */
  get choices(): CallbackChoices {
    return this.#choices ??= callbackChoices(this.#message);
  }

  #scope(): Begun {
    if (this.#begun === undefined) {
      this.#begun = new Begun({
        error: transactionEnded,
        refused: (error) => this.#publisher.refused?.(error),
      });
      if (this.#isOver) this.#begun.close();
    }
    return this.#begun;
  }

  /** Where the return value goes; null when nowhere. */
  get callbackName(): string | null {
    return this.#choices === undefined
      ? requestedCallback(this.#message)
      : this.#choices.control.name;
  }
}
