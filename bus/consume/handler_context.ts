/**
 * The context that a handler gets for one attempt.
 *
 * @module
 */
import { isRecord } from "../../core/check_options.ts";
import type { Contract } from "../../core/message/contract.ts";
import { wireHeaders } from "../../core/message/headers.ts";
import { copyOfMessage, type Message, type MessageHeaders } from "../../core/message/message.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { TimeLimit } from "../async/deadline.ts";
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

/** The part of a record that the context needs. */
type InHand = Pick<StoredRecord, "message" | "group" | "attempts">;

/** Has the transaction of a handler, and may make it when it is asked for. */
export interface TransactionInHand<Tx> {
  readonly tx: Tx;
}

/** Publishes the messages of a handler. */
export interface HandlerPublisher<Tx> {
  /** Publishes one message. */
  publish(contract: Contract, body: unknown, options: PublishOptions<Tx>): Promise<Receipt>;
  /**
   * Called with the error of a publish that was refused because the handler had ended; its caller
   * may not await it.
   */
  refused?(error: unknown): void;
}

/**
 * The context of one attempt. It is a class, and rarely used parts are created on first use: with
 * closures, creating the context cost more than a small handler.
 */
export class Handling<Tx> implements HandlerContext<Tx> {
  readonly group: string;
  readonly attempt: number;
  readonly #own: TransactionInHand<Tx>;
  /** The stored message. It decides where the reply goes, so handlers get a copy. */
  readonly #message: Message;
  #copy: Message | undefined;
  readonly #limit: Pick<TimeLimit, "signal">;
  readonly #publisher: HandlerPublisher<Tx>;
  #guarded: AbortSignal | undefined;
  #begun: Begun | undefined;
  #choices: CallbackChoices | undefined;
  #isOver = false;

  constructor(
    record: InHand,
    own: TransactionInHand<Tx>,
    limit: Pick<TimeLimit, "signal">,
    publisher: HandlerPublisher<Tx>,
  ) {
    this.#message = record.message;
    this.group = record.group;
    this.attempt = record.attempts + 1;
    this.#own = own;
    this.#limit = limit;
    this.#publisher = publisher;
  }

  get tx(): Tx {
    return this.#own.tx;
  }

  /**
   * A copy for each attempt, so that changes are not visible to other groups or the next attempt.
   */
  get message(): Message {
    return this.#copy ??= copyOfMessage(this.#message);
  }

  get signal(): AbortSignal {
    return this.#guarded ??= guardListeners(this.#limit.signal);
  }

  get headers(): MessageHeaders {
    return wireHeaders(this.#message);
  }

  get callback(): CallbackControl {
    return this.choices.control;
  }

  /** A getter that returns a bound function, so that handlers can destructure it. */
  get publish(): HandlerContext<Tx>["publish"] {
    return (contract: Contract, value: unknown, options = {}) => {
      const { tx } = this;
      if (tx !== undefined) {
        // Other values are passed on, and refused.
        const joined = isRecord(options) ? { ...options, tx } : options;
        return this.#scope().start(async () =>
          await this.#publisher.publish(contract, value, joined)
        );
      }
      // A publish outside the handler's transaction may come after the handler has ended.
      const publish = async () => await this.#publisher.publish(contract, value, options);
      return this.#isOver ? publish() : this.#scope().start(publish);
    };
  }

  /** Waits for the publishes that the handler has begun; null when there are none. */
  finished(): Promise<void> | null {
    return this.#begun?.finished() ?? null;
  }

  /** Called when the handler has ended: further publishes in its transaction are refused. */
  close(): void {
    this.#isOver = true;
    this.#begun?.close();
  }

  /** The handler's choices for its callback. */
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

  /** The name under which the return value is published; null when it is not published. */
  get callbackName(): string | null {
    return this.#choices === undefined
      ? requestedCallback(this.#message)
      : this.#choices.control.name;
  }
}
