/**
 * One attempt to handle a message: decode, run the handler in a transaction within its time, write the
 * inbox mark and the reply with it.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { failureOf, type Outcome } from "../../core/lifecycle/outcome.ts";
import { answerConflict, checkAsked } from "../publish/answers.ts";
import type { Message } from "../../core/message/message.ts";
import type { SettleStep } from "../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import { replyMessage, roundOf } from "../publish/callback_message.ts";
import { decodeBody } from "../publish/body_codec.ts";
import { Handling } from "./handler_context.ts";
import { hasCode, readableThrown } from "../../core/user_code/thrown.ts";
import { timeLimit } from "../async/deadline.ts";
import { wrapHandler } from "../api/middleware.ts";
import { largestBody, policyOf, type Settings } from "../settings/settings.ts";
import type { Publisher } from "../publish/publisher.ts";
import type { Settler, StepEnd } from "../records/settle_step.ts";
import { decide, type Decision, settlementOf } from "../records/decision.ts";
import type { Subscriber } from "../api/subscriber.ts";

/** What an attempt is made with. */
export interface AttemptParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly publisher: Publisher<Tx>;
  readonly settler: Settler<Tx>;
  readonly subscriber: Subscriber<Tx>;
  readonly record: StoredRecord;
  /** Aborts when the claim was lost or the bus stops. */
  readonly signal: AbortSignal;
  /** Is told that the record is being settled, so that its claim ends. */
  readonly ending: () => void;
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
  // Before the transaction, which may hold the store's only connection.
  if (settings.store.capabilities.transactions && !settings.responder.isKnown) {
    await settings.responder.name();
  }
  const limit = timeLimit(
    settings.clock,
    timeoutMs,
    parts.signal,
    () => new AtlastError("timeout", `The handler did not finish within ${timeoutMs} ms`),
  );
  let isRead = false;
  try {
    checkAsked(settings, record.message);
    const body = await limit.race(() => decodeBody(subscriber.body, record.message));
    isRead = true;
    if (subscriber.transaction === false) {
      return await limit.race(() => withoutTransaction(parts, body, limit.signal));
    }
    let used: Tx | undefined;
    const end = await settings.store.transaction((tx) => {
      used = tx;
      return limit.race(() => inTransaction(parts, body, tx, limit.signal));
    });
    publisher.ended(used as Tx);
    return end;
  } catch (thrown) {
    if (hasCode(thrown, "lease_lost")) {
      return ended({ kind: "stale" });
    }
    if (parts.signal.aborted) {
      return ended({ kind: "released", delayMs: 0, reason: "The bus stopped" });
    }
    return ended(failureOf(thrown, isRead));
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
  const { settings } = parts;
  const done = await parts.publisher.within(tx, () => handled(parts, body, tx, signal));
  // A handler that went on after its time was up must not settle what it no longer holds.
  signal.throwIfAborted();
  parts.ending();
  const added = await parts.settler.within(tx, stepOf(done));
  const conflict = conflictOf(parts, done, added);
  // Thrown inside the transaction, this takes back everything in it, and fails the message.
  if (conflict !== null && settings.store.capabilities.transactions) throw conflict;
  return kept(done, added);
}

async function withoutTransaction<Tx>(
  parts: AttemptParts<Tx>,
  body: unknown,
  signal: AbortSignal,
): Promise<AttemptEnd> {
  const done = await handled(parts, body, undefined as Tx, signal);
  signal.throwIfAborted();
  parts.ending();
  const added = await parts.settler.alone(stepOf(done));
  conflictOf(parts, done, added);
  return kept(done, added);
}

/** Says that a reply could not be published because another message has its id; null when it was. */
function conflictOf<Tx>(
  { settings }: AttemptParts<Tx>,
  { answer }: Handled,
  added: StepEnd,
): AtlastError | null {
  const conflict = answer === null ? null : answerConflict(answer, added?.[0]);
  if (conflict !== null) settings.observe({ kind: "error", during: "reply", error: conflict });
  return conflict;
}

function stepOf({ decision, answer }: Handled): SettleStep {
  const records = answer === null ? [] : [answer];
  return { settlement: settlementOf(decision), box: "outbox", records };
}

function kept({ decision, reply, answer }: Handled, added: StepEnd): AttemptEnd {
  // Thrown inside the transaction, this takes back everything in it.
  if (added === null) {
    throw new AtlastError(
      "lease_lost",
      "Cannot keep this attempt: got a message that another worker claimed meanwhile",
    );
  }
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
  { settings, publisher, subscriber, record }: Omit<
    AttemptParts<Tx>,
    "signal" | "settler" | "ending"
  >,
  body: unknown,
  tx: Tx,
  signal: AbortSignal,
  nowMs?: number,
): Promise<Handled> {
  const handling = new Handling(record, tx, signal, publisher);
  let value: unknown;
  try {
    value = settings.onConsume.length === 0
      ? await subscriber.handle(body, handling)
      : await wrapHandler(
        settings.onConsume,
        handling,
        async (value) => await subscriber.handle(value, handling),
      )(body);
    const begun = handling.finished();
    if (begun !== null) await begun;
  } catch (thrown) {
    // It goes through the transaction of a driver, which may want to read it.
    throw readableThrown(thrown);
  } finally {
    handling.close();
  }
  const policy = policyOf(settings, record, subscriber.retry);
  const decided = () =>
    decide(settings, record, { kind: "succeed" }, policy, recordedReply(value), nowMs);
  // Nothing returned, nothing promised and nowhere to send it: most handlers.
  if (value === undefined && subscriber.reply === undefined && handling.callbackName === null) {
    return { decision: decided(), reply: null, answer: null };
  }
  const reply = await replyMessage(
    {
      request: record.message,
      group: record.group,
      round: roundOf(record),
      responder: () => settings.responder.name(),
    },
    subscriber.reply,
    value,
    handling.choices,
    settings.clock.now(),
    largestBody(settings),
  );
  return {
    decision: decided(),
    reply,
    answer: reply === null ? null : publisher.answer(reply),
  };
}

/** What a redelivery is answered with. */
function recordedReply(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
