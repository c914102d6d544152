/**
 * One attempt to handle a message: decode, run the handler in a transaction within its time, write the
 * inbox mark and the reply with it.
 *
 * @module
 */
import type { Contract } from "../contract.ts";
import { AtlastError } from "../errors.ts";
import { wireHeaders } from "../headers.ts";
import { failureOf, type Outcome } from "../outcome.ts";
import type { Message } from "../message.ts";
import type { NewRecord, StoredRecord } from "../ports.ts";
import { type CallbackChoices, callbackChoices, replyMessage } from "./callback.ts";
import { decodeBody } from "./codec.ts";
import { timeLimit } from "./time_limit.ts";
import { wrapHandler } from "./middleware.ts";
import { largestBody, policyOf, type Settings } from "./options.ts";
import type { Publisher } from "./publisher.ts";
import type { Settler } from "./settler.ts";
import { decide, type Decision, settlementOf } from "./settling.ts";
import type { HandlerContext, Subscriber } from "./subscriber.ts";

/** Thrown inside the transaction to take back everything in it, when another worker has the message. */
class LeaseLost extends AtlastError {
  constructor() {
    super("lease_lost", "Cannot keep this attempt: another worker claimed the message meanwhile");
  }
}

/** What an attempt is made with. */
export interface AttemptParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly publisher: Publisher<Tx>;
  readonly settler: Settler<Tx>;
  readonly subscriber: Subscriber<Tx>;
  readonly record: StoredRecord;
  /** Aborts when the claim was lost or the bus stops. */
  readonly signal: AbortSignal;
}

/** How an attempt ended: `decision` is set when it was settled with the handler's own writes. */
export interface AttemptEnd {
  readonly outcome: Outcome;
  readonly decision: Decision | null;
  /** The reply as it was added to the outbox; null when there is none, or an earlier run added it. */
  readonly answer: NewRecord | null;
}

/** Runs one attempt. Never rejects: what goes wrong is the outcome. */
export async function attempt<Tx>(parts: AttemptParts<Tx>): Promise<AttemptEnd> {
  const { settings, publisher, subscriber, record } = parts;
  const timeoutMs = subscriber.timeoutMs ?? settings.handlerTimeoutMs;
  const limit = timeLimit(
    settings.clock,
    timeoutMs,
    parts.signal,
    () => new AtlastError("timeout", `The handler did not finish within ${timeoutMs} ms`),
  );
  try {
    const body = await limit.race(() => decodeBody(subscriber.body, record.message));
    let used: Tx | undefined;
    const end = await settings.store.transaction((tx) => {
      used = tx;
      return limit.race(() => inTransaction(parts, body, tx, limit.signal));
    });
    publisher.ended(used as Tx);
    return end;
  } catch (thrown) {
    if (thrown instanceof LeaseLost) return ended({ kind: "stale" });
    if (parts.signal.aborted) {
      return ended({ kind: "released", delayMs: 0, reason: "The bus stopped" });
    }
    return ended(failureOf(thrown));
  } finally {
    limit.end();
  }
}

function ended(outcome: Outcome): AttemptEnd {
  return { outcome, decision: null, answer: null };
}

async function inTransaction<Tx>(
  parts: AttemptParts<Tx>,
  body: unknown,
  tx: Tx,
  signal: AbortSignal,
): Promise<AttemptEnd> {
  const { decision, reply, answer } = await handled(parts, body, tx, signal);
  // A handler that went on after its time was up must not settle what it no longer holds.
  signal.throwIfAborted();
  const added = await parts.settler.within(tx, {
    settlement: settlementOf(decision),
    box: "outbox",
    records: answer === null ? [] : [answer],
  });
  if (added === null) throw new LeaseLost();
  return { outcome: { kind: "handled", reply }, decision, answer: added[0]?.added ? answer : null };
}

/** What a handler that did its work leaves to be written with it. */
export interface Handled {
  readonly decision: Decision;
  readonly reply: Message | null;
  /** The reply as it is to be added to the outbox; null when there is none. */
  readonly answer: NewRecord | null;
}

/**
 * Runs the handler and decides what becomes of its message; writes nothing itself.
 *
 * @param nowMs When it counts as handled, in Unix milliseconds; when the handler is done if not given.
 */
export async function handled<Tx>(
  parts: AttemptParts<Tx>,
  body: unknown,
  tx: Tx,
  signal: AbortSignal,
  nowMs?: number,
): Promise<Handled> {
  const { settings, publisher, subscriber, record } = parts;
  const { clock } = settings;
  const choices = callbackChoices(record.message);
  const value = await run(parts, body, tx, signal, choices);
  const { message, group } = record;
  // Nothing returned, nothing promised and nowhere to send it: most handlers.
  const isSilent = value === undefined && subscriber.reply === undefined &&
    choices.control.name === null;
  const reply = isSilent ? null : await replyMessage(
    message,
    group,
    subscriber.reply,
    value,
    choices,
    clock.now(),
    largestBody(settings),
  );
  const policy = policyOf(settings, record, subscriber.retry);
  const decision = decide(
    settings,
    record,
    { kind: "succeed" },
    policy,
    recordedReply(value),
    nowMs,
  );
  return { decision, reply, answer: reply === null ? null : publisher.answer(reply) };
}

function run<Tx>(
  { settings, publisher, subscriber, record }: AttemptParts<Tx>,
  body: unknown,
  tx: Tx,
  signal: AbortSignal,
  choices: CallbackChoices,
): Promise<unknown> {
  const context: HandlerContext<Tx> = {
    message: record.message,
    get headers() {
      return wireHeaders(record.message);
    },
    group: record.group,
    attempt: record.attempts + 1,
    tx,
    signal,
    callback: choices.control,
    publish: (contract: Contract, value: unknown, options = {}) =>
      publisher.publish(contract, value, tx === undefined ? options : { ...options, tx }),
  };
  const handle = wrapHandler(
    settings.onConsume,
    context,
    async (value) => await subscriber.handle(value, context),
  );
  return handle(body);
}

/** What a redelivery is answered with. */
function recordedReply(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
