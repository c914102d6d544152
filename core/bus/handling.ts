/**
 * What a handler is given for one attempt.
 *
 * @module
 */
import type { Contract } from "../contract.ts";
import { wireHeaders } from "../headers.ts";
import type { Message, MessageHeaders } from "../message.ts";
import type { StoredRecord } from "../ports.ts";
import { Begun } from "./begun.ts";
import { type CallbackChoices, callbackChoices, requestedCallback } from "./callback.ts";
import { guardListeners } from "./guarded_signal.ts";
import type { PublishOptions, Receipt } from "./publisher.ts";
import type { CallbackControl, HandlerContext } from "./subscriber.ts";

/** What is handled, and how often it was before. */
export type InHand = Pick<StoredRecord, "message" | "group" | "attempts">;

/** What publishes what a handler publishes. */
export interface HandlerPublisher<Tx> {
  /** Publishes one message. */
  publish(contract: Contract, body: unknown, options: PublishOptions<Tx>): Promise<Receipt>;
}

/**
 * The context of one attempt. A class, and what few handlers ask for is made when it is asked for: with
 * closures for all of it the context cost more than a small handler does.
 */
export class Handling<Tx> implements HandlerContext<Tx> {
  readonly message: Message;
  readonly group: string;
  readonly attempt: number;
  readonly tx: Tx;
  readonly #signal: AbortSignal;
  readonly #publisher: HandlerPublisher<Tx>;
  #guarded: AbortSignal | undefined;
  #begun: Begun | undefined;
  #choices: CallbackChoices | undefined;

  constructor(record: InHand, tx: Tx, signal: AbortSignal, publisher: HandlerPublisher<Tx>) {
    this.message = record.message;
    this.group = record.group;
    this.attempt = record.attempts + 1;
    this.tx = tx;
    this.#signal = signal;
    this.#publisher = publisher;
  }

  get signal(): AbortSignal {
    return this.#guarded ??= guardListeners(this.#signal);
  }

  get headers(): MessageHeaders {
    return wireHeaders(this.message);
  }

  get callback(): CallbackControl {
    return this.choices.control;
  }

  /** A getter, so that a handler may take it out of the context. */
  get publish(): HandlerContext<Tx>["publish"] {
    const { tx } = this;
    const begun = this.#begun ??= new Begun("publish");
    return (contract: Contract, value: unknown, options = {}) =>
      begun.start(() =>
        this.#publisher.publish(contract, value, tx === undefined ? options : { ...options, tx })
      );
  }

  /** Waits for what the handler has begun to publish; null where it has not. */
  finished(): Promise<void> | null {
    return this.#begun?.finished() ?? null;
  }

  /** What the handler chose for its callback. */
  get choices(): CallbackChoices {
    return this.#choices ??= callbackChoices(this.message);
  }

  /** Where the return value goes; null when nowhere. */
  get callbackName(): string | null {
    return this.#choices === undefined
      ? requestedCallback(this.message)
      : this.#choices.control.name;
  }
}
