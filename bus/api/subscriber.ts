/**
 * Subscribers: which messages a handler takes, and the context it gets.
 *
 * @module
 */
import type {
  BodyInput,
  BodyOutput,
  Contract,
  ReplyInput,
  Schema,
} from "../../core/message/contract.ts";
import { checkNumber } from "../../core/check_option.ts";
import { checkText, IDENTIFIER } from "../../core/check_text.ts";
import { AtlastError } from "../../core/errors.ts";
import type { Message, MessageHeaders } from "../../core/message/message.ts";
import { checkPattern } from "../../core/message/name.ts";
import { checkRetryPolicy, type RetryPolicy } from "../../core/lifecycle/retry.ts";
import type { PublishOptions } from "./publish_options.ts";
import type { Receipt } from "./publish_options.ts";

/** The most messages in one transaction: more gain nothing, and hold locks and delay the pruning of others. */
const MAX_BATCH = 1_000;

/** How a subscriber takes messages. */
export interface SubscribeOptions {
  /**
   * The group: each group gets every message once, and its members share them. Letters, digits,
   * `_`, `-` and dots.
   */
  readonly group: string;
  /**
   * A pattern to match names by instead of the contract's own name: `*` stands for one token, `#` for
   * any number of them. The contract's schemas hold for every name that matches.
   */
  readonly pattern?: string;
  /**
   * When a failed message is tried again.
   *
   * @default the bus's own policy
   */
  readonly retry?: RetryPolicy;
  /**
   * How long the handler may take, in milliseconds.
   *
   * @default that of the bus
   */
  readonly timeoutMs?: number;
  /**
   * How many messages may be handled in one transaction. More are several times as fast where handlers are short.
   * They run one after another, and their writes commit together with their marks. If one fails, nothing of the
   * transaction is kept and each message is handled again by itself: what a handler does outside `tx` may then
   * happen twice. On a store without transactions each is handled by itself.
   *
   * @default 1
   */
  readonly maxBatch?: number;
  /**
   * Whether the handler runs in a transaction of the store. A handler whose work lies elsewhere has nothing to
   * write with `tx`: with `false` it gets none, no connection is held while it runs, and its mark and reply are
   * written after it, in statements it shares with others, which is many times as fast. If the worker dies in
   * between, the handler runs again, as it does for all that a handler does outside `tx`.
   *
   * @default true
   */
  readonly transaction?: boolean;
}

/** Where a handler's return value goes. Changes hold for this attempt only. */
export interface CallbackControl {
  /** The name under which the return value is published; null when it is not. */
  readonly name: string | null;
  /**
   * Adds a header to the callback.
   *
   * @throws {AtlastError} `invalid_header`, or `invalid_name` for a callback header that is no name.
   */
  addHeader(name: string, value: string): void;
  /** Publishes the return value under another name. */
  rewrite(to: { readonly name: string }): void;
  /** Publishes no callback. */
  remove(): void;
}

/** What a handler is given beside the body. */
export interface HandlerContext<Tx = unknown> {
  /** The message as it arrived: a copy for this attempt alone, so that changes of it reach nobody. */
  readonly message: Message;
  /** The message's headers, those with fields of their own included. */
  readonly headers: MessageHeaders;
  /** The group that handles it. */
  readonly group: string;
  /** Which attempt this is, from 1 on. */
  readonly attempt: number;
  /**
   * The transaction in which the message is marked as handled and its reply is written: what the
   * handler writes with it happens once. Undefined on a store without transactions, and for a subscriber
   * that asked for none.
   */
  readonly tx: Tx;
  /** Aborts when the handler's time is up, its claim was lost, or the bus stops without waiting longer. */
  readonly signal: AbortSignal;
  /** Where the return value goes. */
  readonly callback: CallbackControl;
  /**
   * Publishes in the handler's transaction: the message exists if and only if the handler's effect does.
   * Where there is no transaction, at once.
   */
  publish<C extends Contract>(
    contract: C,
    body: BodyInput<C>,
    options?: Omit<PublishOptions<Tx, ReplyInput<C>>, "tx">,
  ): Promise<Receipt>;
}

/** A handler: does the work, and returns the reply if the contract has one. */
export type Handler<C extends Contract, Tx> = (
  body: BodyOutput<C>,
  context: HandlerContext<Tx>,
) => ReplyInput<C> | Promise<ReplyInput<C>>;

/** A handler with what it subscribes to. */
export interface Subscriber<in Tx = unknown> {
  /** The name or pattern it takes. */
  readonly pattern: string;
  /** The group it belongs to. */
  readonly group: string;
  /** The schema of the bodies it takes. */
  readonly body: Schema;
  /** The schema of what it returns; undefined when it returns nothing. */
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
  /** Does the work. */
  readonly handle: (body: unknown, context: HandlerContext<Tx>) => unknown;
}

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
  const pattern = options.pattern ?? contract.name;
  checkPattern(pattern);
  checkText("a group", options.group, IDENTIFIER);
  if (typeof handler !== "function") {
    throw new AtlastError(
      "invalid_option",
      `Cannot subscribe to "${pattern}" with a handler of type ${typeof handler}: want a function`,
    );
  }
  if (options.retry !== undefined) checkRetryPolicy(options.retry);
  const attempt = `subscribe to "${pattern}" with`;
  if (options.timeoutMs !== undefined) {
    checkNumber("timeoutMs", options.timeoutMs, { most: Infinity }, attempt);
  }
  const { maxBatch = 1, transaction = true } = options;
  checkNumber("maxBatch", maxBatch, { whole: true, least: 1, most: MAX_BATCH }, attempt);
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
