/**
 * What a handler is given for one attempt.
 *
 * @module
 */
import type { Contract } from "../contract.ts";
import { wireHeaders } from "../headers.ts";
import type { Message, MessageHeaders } from "../message.ts";
import type { StoredRecord } from "../ports.ts";
import { type CallbackChoices, callbackChoices, requestedCallback } from "./callback.ts";
import type { Publisher } from "./publisher.ts";
import type { CallbackControl, HandlerContext } from "./subscriber.ts";

/**
 * The context of one attempt. A class, and what few handlers ask for is made when it is asked for: with
 * closures for all of it the context cost more than a small handler does.
 */
export class Handling<Tx> implements HandlerContext<Tx> {
  readonly message: Message;
  readonly group: string;
  readonly attempt: number;
  readonly tx: Tx;
  readonly signal: AbortSignal;
  readonly #publisher: Publisher<Tx>;
  #choices: CallbackChoices | undefined;

  constructor(record: StoredRecord, tx: Tx, signal: AbortSignal, publisher: Publisher<Tx>) {
    this.message = record.message;
    this.group = record.group;
    this.attempt = record.attempts + 1;
    this.tx = tx;
    this.signal = signal;
    this.#publisher = publisher;
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
    return (contract: Contract, value: unknown, options = {}) =>
      this.#publisher.publish(contract, value, tx === undefined ? options : { ...options, tx });
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
