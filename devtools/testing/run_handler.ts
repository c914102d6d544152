/**
 * Runs one handler without a bus.
 *
 * @module
 */
import type { ConsumeMiddleware } from "../../bus/api/middleware.ts";
import type { PublishOptions, Receipt } from "../../bus/api/publish_options.ts";
import { aSubscriber, type Subscriber } from "../../bus/api/subscriber.ts";
import {
  attempt,
  type HandlerHost,
  type HandlerResult,
  runHandler as runOnce,
} from "../../bus/consume/run_handler.ts";
import type { HandlerPublisher } from "../../bus/consume/handler_context.ts";
import { encodeBody } from "../../bus/publish/body_codec.ts";
import { compose, headersOf } from "../../bus/publish/build_message.ts";
import { checkPublish } from "../../bus/publish/check_publish.ts";
import { DEFAULT_HANDLER_TIMEOUT_MS } from "../../bus/settings/common_options.ts";
import { idSource } from "../../bus/settings/ids.ts";
import { SYSTEM_CLOCK } from "../../bus/settings/system_clock.ts";
import {
  aFunction,
  aList,
  anId,
  aNumber,
  aRecord,
  aText,
  checkOptions,
  type OptionCheck,
  withMethods,
} from "../../core/check_options.ts";
import { optionError } from "../../core/check_option.ts";
import { AtlastError } from "../../core/errors.ts";
import type { Contract } from "../../core/message/contract.ts";
import { checkId } from "../../core/message/id.ts";
import { HEADER, normalizeHeaders } from "../../core/message/headers.ts";
import { MAX_BODY_BYTES, type Message } from "../../core/message/message.ts";
import { checkName, matchesName } from "../../core/message/name.ts";
import type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";
import { aContract, aTransaction } from "./check_kit_values.ts";
import { type Publications, publicationsOf, type PublishedSource } from "./published.ts";

/** The options of {@linkcode runHandler}. */
export interface RunHandlerOptions<Tx = unknown> {
  /** What the handler gets as `tx`: a transaction that the test begins and ends, or a fake. */
  readonly tx?: Tx;
  /**
   * The id of the message.
   *
   * @default a new UUIDv7
   */
  readonly id?: string;
  /**
   * The name of the message.
   *
   * It must match the pattern of the subscriber.
   *
   * @default that of the subscriber's contract; required for a subscriber with a pattern
   */
  readonly name?: string;
  /** The headers of the message. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Which attempt it is.
   *
   * @default 1
   */
  readonly attempt?: number;
  /** The contract under which the publisher wants the reply. */
  readonly callback?: Pick<Contract, "name">;
  /** Aborts the handler, as a bus that stops does. */
  readonly signal?: AbortSignalLike;
  /** Middleware around the handler; the first one is outermost. */
  readonly onConsume?: readonly ConsumeMiddleware<Tx>[];
  /**
   * The clock, which its time limit follows.
   *
   * @default the platform's
   */
  readonly clock?: Clock;
}

/** A handler that has run. `published` has what it published, and its reply if the publisher wanted one. */
export interface HandlerRun extends Publications {
  /** The id of the message that it handled. */
  readonly id: string;
  /** What it returned; undefined if it has no reply contract and the publisher wanted no reply. */
  readonly reply: unknown;
}

const OPTIONS: Readonly<Record<keyof RunHandlerOptions, OptionCheck>> = {
  tx: aTransaction,
  id: anId,
  name: aText,
  headers: aRecord,
  attempt: aNumber({ whole: true, least: 1 }),
  callback: aContract,
  signal: withMethods("addEventListener", "removeEventListener"),
  onConsume: aList(aFunction),
  clock: withMethods("now", "after"),
};

/**
 * Runs the handler of a subscriber once, as a bus would: the body is encoded, decoded and checked, the middleware and
 * the time limit apply, and the reply is checked. Nothing is stored or sent.
 *
 * @example
 * ```ts
 * import { defineMessage, subscribe } from "@atlast/bus";
 * import { runHandler } from "@atlast/bus/testing";
 * import * as z from "zod";
 *
 * const Deducted = defineMessage("stock.deducted", { body: z.object({ isDone: z.boolean() }) });
 * const Deduct = defineMessage("stock.deduct", {
 *   body: z.object({ qty: z.number() }),
 *   reply: Deducted.body,
 * });
 * const StockLow = defineMessage("stock.low", { body: z.object({ left: z.number() }) });
 *
 * const deduct = subscribe(Deduct, { group: "stock" }, async ({ qty }, { publish }) => {
 *   if (qty > 3) await publish(StockLow, { left: 5 - qty });
 *   return { isDone: true };
 * });
 *
 * const run = await runHandler(deduct, { qty: 4 });
 * console.log(run.reply);
 * const { body } = await run.assertPublished(StockLow);
 * console.log(body.left);
 * ```
 *
 * It prints:
 *
 * ```text
 * { isDone: true }
 * 1
 * ```
 *
 * @throws {ContractError} When the body, or the reply, does not fit its contract.
 * @throws {AtlastError} `invalid_option`, `invalid_name`, `invalid_id` or `timeout`. What the handler throws passes through.
 */
export async function runHandler<Tx = unknown>(
  subscriber: Subscriber<Tx>,
  body: unknown,
  options: RunHandlerOptions<Tx> = {},
): Promise<HandlerRun> {
  aSubscriber("subscriber", subscriber, "run");
  checkOptions("run a handler with", options, OPTIONS);
  const { tx, attempt: nth = 1, clock = SYSTEM_CLOCK } = options;
  const signal = options.signal ?? new AbortController().signal;
  const publisher = new RecordingPublisher<Tx>(clock);
  const message = await messageOf(subscriber, body, options, publisher.newId(), clock.now());
  const host: HandlerHost<Tx> = {
    clock,
    onConsume: options.onConsume ?? [],
    handlerTimeoutMs: DEFAULT_HANDLER_TIMEOUT_MS,
    maxBodyBytes: MAX_BODY_BYTES,
    publisher,
    responder: () => Promise.resolve("test"),
    check: () => {},
    complete: (run, decoded, limit) =>
      limit.race(() => runOnce(host, run, decoded, { tx: tx as Tx }, limit)),
  };
  const record = { message, group: subscriber.group, attempts: nth - 1, details: null };
  const result = await attempt(host, { record, subscriber }, signal);
  if (result.kind !== "handled") throw errorOf(result, signal);
  if (result.reply !== null) publisher.add({ message: result.reply, deadlineMs: null });
  return { id: message.id, reply: result.value, ...publicationsOf((name) => publisher.read(name)) };
}

async function messageOf<Tx>(
  subscriber: Subscriber<Tx>,
  body: unknown,
  { id, name = subscriber.pattern, headers, callback }: RunHandlerOptions<Tx>,
  newId: string,
  nowMs: number,
): Promise<Message> {
  if (id !== undefined) checkId(id);
  checkName(name);
  if (!matchesName(subscriber.pattern, name)) {
    const want = `one that its subscriber takes: "${subscriber.pattern}"`;
    throw optionError("run a handler with", "name", name, want);
  }
  const encoded = await encodeBody(subscriber.body, body, undefined, `body of "${name}"`);
  const own = normalizeHeaders({ ...headers, [HEADER.callbackName]: callback?.name });
  return { id: id ?? newId, name, headers: own, ...encoded, sentAtMs: nowMs };
}

/** What to throw for a handler that did not succeed. */
function errorOf(
  result: Exclude<HandlerResult, { kind: "handled" }>,
  signal: AbortSignalLike,
): unknown {
  if (result.kind === "fail") return result.error ?? new Error(result.reason);
  return signal.reason ??
    new AtlastError("stopped", "Cannot finish the handler: it was aborted");
}

/** Records what a handler publishes. */
class RecordingPublisher<Tx> implements HandlerPublisher<Tx> {
  readonly #clock: Clock;
  readonly #nextId = idSource();
  readonly #published: PublishedSource[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  newId(): string {
    return this.#nextId(this.#clock.now());
  }

  async publish(
    contract: Contract,
    body: unknown,
    options: PublishOptions<Tx>,
  ): Promise<Receipt> {
    checkPublish(contract, options, "publish");
    const id = options.id ?? this.newId();
    const draft = { id, name: contract.name, body, headers: headersOf(options as PublishOptions) };
    const composed = await compose(draft, contract, options as PublishOptions, {
      nowMs: this.#clock.now(),
      maxBodyBytes: MAX_BODY_BYTES,
    });
    const duplicate = this.#published.some(({ message }) => message.id === id);
    if (!duplicate) this.add(composed);
    return { id, duplicate };
  }

  add(source: PublishedSource): void {
    this.#published.push(source);
  }

  read(name: string | undefined): Promise<PublishedSource[]> {
    return Promise.resolve(
      this.#published.filter(({ message }) => name === undefined || message.name === name),
    );
  }
}
