/**
 * Runs a handler: check and decode the body, make the context, run the middleware and the handler, make the
 * reply, decide the outcome. A bus with a store, batch handling and a receiver without a store all use it. They
 * differ in what they do with the result, see {@linkcode HandlerHost.complete}.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Failure } from "../../core/lifecycle/lifecycle.ts";
import { failureOf } from "../../core/lifecycle/outcome.ts";
import type { Message } from "../../core/message/message.ts";
import type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import { hasCode, readableThrown } from "../../core/user_code/thrown.ts";
import { type ConsumeMiddleware, wrapHandler } from "../api/middleware.ts";
import type { Subscriber } from "../api/subscriber.ts";
import { type TimeLimit, timeLimit } from "../async/deadline.ts";
import { decodeBodySoon } from "../publish/body_codec.ts";
import { replyMessage, roundOf } from "../publish/callback_message.ts";
import { decide, type Decision } from "../records/decision.ts";
import { policyOf, type Settings } from "../settings/settings.ts";
import { type HandlerPublisher, Handling, type TransactionInHand } from "./handler_context.ts";

/** The result of an attempt. The set is closed: an abort or a timeout is never a success. */
export type HandlerResult =
  | Handled
  /** The handler failed, or its message could not be read. */
  | Failure
  /**
   * The handler was stopped because the bus stops, or its transaction could not begin; the message is released. It
   * is due again after `delayMs`, by default at once.
   */
  | { readonly kind: "released"; readonly delayMs?: number }
  /** Another worker claimed the message while the handler ran; nothing of this run was kept. */
  | { readonly kind: "stale" };

/** The handler succeeded. */
export interface Handled {
  readonly kind: "handled";
  /** What it returned; undefined if nobody wants it. */
  readonly value: unknown;
  /** The reply to the publisher; null when there is none. */
  readonly reply: Message | null;
  /** The decision on the record; null without a store. */
  readonly decision: Decision | null;
  /**
   * The record of the reply for the outbox; null when there is none, or an earlier run added it.
   */
  readonly answer: NewRecord | null;
}

/** The part of a record that an attempt needs. */
type InHand = Pick<StoredRecord, "message" | "group" | "attempts" | "details">;

/**
 * How often a handler runs again because its transaction conflicted with others, before that counts as an attempt.
 */
const MAX_RERUNS = 10;

/** A message, and its subscriber. */
export interface HandlerRun<Tx, Claimed extends InHand = InHand> {
  readonly record: Claimed;
  readonly subscriber: Subscriber<Tx>;
  /** Called when the handler has ended, and only a settlement is left that others share. */
  readonly ended?: () => void;
}

/** The environment of handlers: a bus with a store, or a receiver without one. */
export interface HandlerHost<Tx, Claimed extends InHand = InHand> {
  readonly clock: Clock;
  /** Wraps every handler, the first one outermost. */
  readonly onConsume: readonly ConsumeMiddleware<Tx>[];
  /** How long a handler may take unless its subscriber says otherwise, in milliseconds. */
  readonly handlerTimeoutMs: number;
  /** The largest body of a reply, in bytes. */
  readonly maxBodyBytes: number;
  /** Publishes the messages of handlers. */
  readonly publisher: HandlerPublisher<Tx>;
  /** The name under which replies are sent. */
  readonly responder: () => Promise<string>;
  /**
   * Whether messages are claimed, so that a claim can be lost while a handler runs.
   *
   * @default false
   */
  readonly claims?: boolean;
  /** Checks that a message may be handled here; throws the error that its attempt fails with. */
  check(run: HandlerRun<Tx, Claimed>): void;
  /**
   * Resolves when a handler may run again whose transaction was rolled back because it conflicted with others; to
   * false if it may not, or was not.
   *
   * @param reruns How often it ran again before.
   */
  readonly rerun?: (
    run: HandlerRun<Tx, Claimed>,
    thrown: unknown,
    reruns: number,
    signal: AbortSignalLike,
  ) => Promise<boolean>;
  /** Calls {@linkcode runHandler} within the limit, and keeps its result. */
  complete(run: HandlerRun<Tx, Claimed>, body: unknown, limit: TimeLimit): Promise<HandlerResult>;
}

/**
 * Makes one attempt to handle a message. Never rejects: errors are part of the result. A run that conflicts with other
 * transactions is repeated within the attempt.
 *
 * @param signal Aborts when the claim is lost or the bus stops.
 * @param clock Measures the time limit.
 */
export async function attempt<Tx, Claimed extends InHand>(
  host: HandlerHost<Tx, Claimed>,
  run: HandlerRun<Tx, Claimed>,
  signal: AbortSignalLike,
  clock: Clock = host.clock,
): Promise<HandlerResult> {
  for (let reruns = 0;; reruns++) {
    const timeoutMs = run.subscriber.timeoutMs ?? host.handlerTimeoutMs;
    const limit = timeLimit(clock, timeoutMs, signal, () => timedOut(timeoutMs));
    let isRead = false;
    let end: HandlerResult | null;
    try {
      host.check(run);
      const read = decodeBodySoon(run.subscriber.body, run.record.message);
      const body = read instanceof Promise ? await limit.race(() => read) : read;
      limit.throwIfAborted();
      isRead = true;
      end = await host.complete(run, body, limit);
    } catch (thrown) {
      limit.end();
      end = await endOf(host, run, signal, { thrown, isRead, reruns });
    }
    limit.end();
    if (end !== null) return end;
  }
}

/** The end of a run that threw; null if the handler runs again. */
async function endOf<Tx, Claimed extends InHand>(
  host: HandlerHost<Tx, Claimed>,
  run: HandlerRun<Tx, Claimed>,
  signal: AbortSignalLike,
  { thrown, isRead, reruns }: {
    readonly thrown: unknown;
    readonly isRead: boolean;
    readonly reruns: number;
  },
): Promise<HandlerResult | null> {
  if (host.claims && hasCode(thrown, "lease_lost")) return { kind: "stale" };
  if (signal.aborted) return { kind: "released" };
  const failure = failureOf(thrown, isRead);
  const isChosen = !failure.retryable || failure.retryAfterMs !== undefined;
  const runsAgain = !isChosen && reruns < MAX_RERUNS &&
    await host.rerun?.(run, thrown, reruns, signal) === true;
  // Waiting for that may have taken a while.
  if (signal.aborted) return { kind: "released" };
  return runsAgain ? null : { ...failure, error: thrown };
}

function timedOut(timeoutMs: number): AtlastError {
  return new AtlastError("timeout", `The handler did not finish within ${timeoutMs} ms`);
}

/** The end of a handler whose result nobody wants. */
const NOTHING_WANTED: Handled = {
  kind: "handled",
  value: undefined,
  reply: null,
  decision: null,
  answer: null,
};

/** Runs the handler on a decoded body, and builds its reply; writes nothing itself. */
export async function runHandler<Tx>(
  host: Omit<HandlerHost<Tx>, "check" | "complete" | "rerun">,
  { record, subscriber }: HandlerRun<Tx>,
  body: unknown,
  own: TransactionInHand<Tx>,
  limit: Pick<TimeLimit, "signal">,
): Promise<Handled> {
  const context = new Handling(record, own, limit, host.publisher);
  let value: unknown;
  try {
    value = await (host.onConsume.length === 0
      ? subscriber.handle(body, context)
      : handleWithin(host.onConsume, subscriber, body, context));
    const begun = context.finished();
    if (begun !== null) {
      await begun;
    }
  } catch (thrown) {
    // The error passes through the transaction of a driver, which may read its properties.
    throw readableThrown(thrown);
  } finally {
    context.close();
  }
  // Without a reply contract and a callback nobody wants what it returned, such as the row of its last statement:
  // it need not be JSON, and is not kept.
  return subscriber.reply === undefined && context.callbackName === null
    ? NOTHING_WANTED
    : withReply(host, record, subscriber, value, context);
}

function handleWithin<Tx>(
  middleware: readonly ConsumeMiddleware<Tx>[],
  subscriber: Subscriber<Tx>,
  body: unknown,
  context: Handling<Tx>,
): Promise<unknown> {
  const handle = async (value: unknown) => await subscriber.handle(value, context);
  return wrapHandler(middleware, context, handle)(body);
}

async function withReply<Tx>(
  { responder, clock, maxBodyBytes }: Pick<HandlerHost<Tx>, "responder" | "clock" | "maxBodyBytes">,
  record: InHand,
  subscriber: Subscriber<Tx>,
  value: unknown,
  { choices }: Handling<Tx>,
): Promise<Handled> {
  const request = {
    request: record.message,
    group: record.group,
    round: roundOf(record),
    responder,
  };
  const { reply: schema } = subscriber;
  const reply = await replyMessage(request, schema, value, choices, clock.now(), maxBodyBytes);
  return { kind: "handled", value, reply, decision: null, answer: null };
}

/**
 * The decision on a stored message whose handler succeeded.
 *
 * @param nowMs When it counts as handled, in Unix milliseconds.
 */
export function decideHandled<Tx>(
  settings: Settings<Tx>,
  { record, subscriber }: HandlerRun<Tx, StoredRecord>,
  { value }: Handled,
  nowMs?: number,
): Decision {
  const policy = policyOf(settings, record, subscriber.retry);
  // Stored for the answer to redeliveries.
  const reply = value === undefined ? null : JSON.stringify(value);
  return decide(settings, record, { kind: "succeed" }, policy, reply, nowMs);
}
