/**
 * Subscribers: which messages a handler takes, and the context it gets.
 *
 * @module
 */
import {
  aRetryPolicy,
  type BodyInput,
  type BodyOutput,
  checkContract,
  type Contract,
  type ReplyInput,
  type Schema,
} from "../../core/message/contract.ts";
import { optionError } from "../../core/check_option.ts";
import { aFlag, aNumber, checkOptions, type OptionCheck } from "../../core/check_options.ts";
import { checkText, IDENTIFIER } from "../../core/check_text.ts";
import { AtlastError } from "../../core/errors.ts";
import type { Message, MessageHeaders } from "../../core/message/message.ts";
import { checkPattern } from "../../core/message/name.ts";
import type { RetryPolicy } from "../../core/lifecycle/retry.ts";
import type { PublishOptions } from "./publish_options.ts";
import type { Receipt } from "./publish_options.ts";

/**
 * The most messages in one transaction. More gain nothing, and long transactions keep locks and
 * delay pruning.
 */
const MAX_BATCH = 1_000;

/** The options of a subscriber. */
export interface SubscribeOptions {
  /**
   * The group: each group gets every message once, and its members share them. Letters, digits,
   * `_`, `-` and dots.
   */
  readonly group: string;
  /**
   * A pattern of message names, instead of the contract's name: `*` matches one token, `#` any
   * number of tokens. The contract's schemas apply to every name that matches.
   */
  readonly pattern?: string;
  /**
   * When a failed message is retried.
   *
   * @default the bus's own policy
   */
  readonly retry?: RetryPolicy;
  /**
   * How long the handler may take, in milliseconds. The time starts when the handler starts; it stops while the handler
   * waits for its transaction to begin. When it is up, the statement that the handler waits for is cancelled.
   *
   * @default that of the bus
   */
  readonly timeoutMs?: number;
  /**
   * How many messages may be handled in one transaction. With short handlers, several are several
   * times as fast. The handlers run one after another, and their writes and settlements commit
   * together. If one fails, the transaction rolls back and each message is handled again on its
   * own, so effects of a handler outside `tx` may happen twice. On a store without transactions
   * each message is handled on its own.
   *
   * @default 1
   */
  readonly maxBatch?: number;
  /**
   * Whether the handler gets a transaction of the store. A handler that does not use its `tx` loses nothing by the
   * default on Postgres and in memory: its transaction never begins, it occupies no connection, and its settlement and
   * reply are written in statements shared with others. On PGlite the transaction begins before the handler; there `false`
   * saves it. If the worker dies before the settlement, a handler that did not use `tx` runs again; that is also true
   * for effects outside `tx` of a handler that did.
   *
   * @default true
   */
  readonly transaction?: boolean;
}

/** Controls where a handler's return value is published. Changes apply to this attempt only. */
export interface CallbackControl {
  /** The name under which the return value is published; null when it is not. */
  readonly name: string | null;
  /**
   * Adds a header to the callback.
   *
   * @throws {AtlastError} `invalid_header`, or `invalid_name` for a callback header whose value is
   * not a valid name.
   */
  addHeader(name: string, value: string): void;
  /** Publishes the return value under another name. */
  rewrite(to: { readonly name: string }): void;
  /** Publishes no callback. */
  remove(): void;
}

/** The second argument of a handler, beside the body. */
export interface HandlerContext<Tx = unknown> {
  /** The message as it arrived. It is a copy for this attempt; changes of it have no effect. */
  readonly message: Message;
  /** The message's headers, including those that have fields of their own. */
  readonly headers: MessageHeaders;
  /** The group that handles it. */
  readonly group: string;
  /** Which attempt this is, from 1 on. */
  readonly attempt: number;
  /**
   * The transaction in which the message is settled and its reply is written. Writes with it take
   * effect exactly once. On Postgres it begins when it is first used, or when the handler publishes; if the claim on the
   * message was lost before that, the use rejects with `lease_lost`. Undefined on a store without transactions, and with
   * the option `transaction: false`.
   */
  readonly tx: Tx;
  /**
   * Aborts when the handler's time is up, its claim is lost, or the drain time of a stopping bus
   * has passed.
   */
  readonly signal: AbortSignal;
  /** Controls the callback. */
  readonly callback: CallbackControl;
  /**
   * Publishes in the handler's transaction: the message exists if and only if the transaction
   * commits. Without a transaction it is published at once.
   */
  publish<C extends Contract>(
    contract: C,
    body: BodyInput<C>,
    options?: Omit<PublishOptions<Tx, ReplyInput<C>>, "tx">,
  ): Promise<Receipt>;
}

/** A handler. It does the work, and returns the reply if the contract has one. */
export type Handler<C extends Contract, Tx> = (
  body: BodyOutput<C>,
  context: HandlerContext<Tx>,
) => ReplyInput<C> | Promise<ReplyInput<C>>;

/** A handler and its subscription. */
export interface Subscriber<in Tx = unknown> {
  /** The name or pattern it takes. */
  readonly pattern: string;
  /** The group it belongs to. */
  readonly group: string;
  /** The schema of the bodies it takes. */
  readonly body: Schema;
  /** The schema of its return value; undefined when it returns nothing. */
  readonly reply: Schema | undefined;
  /** When a failed message is tried again; undefined for the bus's own policy. */
  readonly retry: RetryPolicy | undefined;
  /** How long the handler may take, in milliseconds; undefined for that of the bus. */
  readonly timeoutMs: number | undefined;
  /**
   * How many messages may be handled in one transaction.
   *
   * @default 1
   */
  readonly maxBatch?: number;
  /**
   * Whether the handler runs in a transaction.
   *
   * @default true
   */
  readonly transaction?: boolean;
  /** Handles one message. */
  readonly handle: (body: unknown, context: HandlerContext<Tx>) => unknown;
}

const aGroup: OptionCheck = (_option, value) => void checkText("a group", value, IDENTIFIER);

const SUBSCRIBE_OPTIONS: Readonly<Record<Exclude<keyof SubscribeOptions, "group">, OptionCheck>> = {
  pattern: (_option, value) => checkPattern(value as string),
  retry: aRetryPolicy,
  timeoutMs: aNumber({ most: Infinity }),
  maxBatch: aNumber({ whole: true, least: 1, most: MAX_BATCH }),
  transaction: aFlag,
};

/** A subscriber, as {@linkcode subscribe} makes. */
export const aSubscriber: OptionCheck = (option, value, attempt) => {
  const { pattern, group, handle } = (value ?? {}) as Partial<Subscriber>;
  const isOne = typeof pattern === "string" && typeof group === "string" &&
    typeof handle === "function";
  if (!isOne) throw optionError(attempt, option, value, "what subscribe(…) makes");
};

/**
 * Subscribes a handler to a contract's messages.
 *
 * @example
 * ```ts
 * import { defineMessage, subscribe } from "@atlast/bus";
 * import * as z from "zod";
 *
 * const OrderPlaced = defineMessage("order.placed", { body: z.object({ orderId: z.number() }) });
 *
 * const subscriber = subscribe(OrderPlaced, { group: "mail" }, async ({ orderId }, { signal }) => {
 *   await fetch(`http://localhost:8025/confirm/${orderId}`, { method: "POST", signal });
 * });
 * ```
 * @throws {AtlastError} `invalid_name` or `invalid_option`.
 */
export function subscribe<C extends Contract, Tx = unknown>(
  contract: C,
  options: SubscribeOptions,
  handler: Handler<C, Tx>,
): Subscriber<Tx> {
  checkContract(contract, "subscribe with");
  const attempt = `subscribe to "${contract.name}" with`;
  checkOptions(attempt, options, SUBSCRIBE_OPTIONS, { group: aGroup });
  const { pattern = contract.name, maxBatch = 1, transaction = true } = options;
  if (typeof handler !== "function") {
    throw optionError(attempt, "a handler", handler, "a function");
  }
  if (maxBatch > 1 && !transaction) {
    throw new AtlastError(
      "invalid_option",
      `Cannot subscribe to "${pattern}" with maxBatch ${maxBatch} and transaction false: a batch is handled in one transaction`,
    );
  }
  return {
    pattern,
    group: options.group,
    body: contract.body,
    reply: contract.reply,
    retry: options.retry,
    timeoutMs: options.timeoutMs,
    maxBatch,
    transaction,
    handle: (body, context) => handler(body as BodyOutput<C>, context),
  };
}
