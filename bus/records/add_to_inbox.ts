/**
 * Adds received messages to the inbox, unless it has their record or remembers their id.
 *
 * @module
 */
import { failureText } from "../../core/lifecycle/failure_code.ts";
import {
  CLOCK_MARGIN_MS,
  isRemembered,
  type RememberedMessage,
} from "../../core/ports/inbox_memory.ts";
import type { Message } from "../../core/message/message.ts";
import type { AddResult, ReturnResult } from "../../core/ports/store.ts";
import type { NewRecord } from "../../core/ports/record.ts";
import type { DeliverOptions, DeliveryResult } from "../../core/ports/transport.ts";
import type { ReturningRecord } from "../../core/ports/inbox_memory.ts";
import { conflictWith, ID_CONFLICT, type Rejection, resultOf } from "./delivery_result.ts";
import { contentDigest, keyDigest, principalDigest } from "../settings/digests.ts";
import type { Settings } from "../settings/settings.ts";

/** A record to add, and the message as it arrived. */
export interface Arrival {
  /** The record. */
  readonly record: NewRecord;
  /** The message with the fields that its sender added, such as the time of its first attempt. */
  readonly message: Message;
}

const TOO_OLD: Rejection = {
  kind: "rejected",
  code: "too_old_to_deduplicate",
  reason: failureText("too_old_to_deduplicate"),
};

const FAILED_BEFORE: DeliveryResult = {
  kind: "failed",
  duplicate: true,
  reason: "It failed, and its record was deleted since",
};

/**
 * Adds records to the inbox. The result for each is null if it was added, otherwise the answer to
 * its sender: the outcome of a duplicate, a conflict of ids, or `too_old_to_deduplicate`.
 *
 * This takes one statement, and more only for messages so late that their record may have been
 * pruned.
 */
export async function addToInbox<Tx>(
  settings: Settings<Tx>,
  arrivals: readonly Arrival[],
  nowMs: number,
  options: DeliverOptions = {},
): Promise<(DeliveryResult | null)[]> {
  if (arrivals.length === 0) return [];
  const late = arrivals.filter(({ message }) => isLate(settings, message, nowMs));
  if (late.length === 0) return await addAll(settings, arrivals, nowMs);
  const inTime = arrivals.filter((each) => !late.includes(each));
  const answers = new Map<Arrival, DeliveryResult | null>();
  const add = async (some: readonly Arrival[]) => {
    const own = some.length === 0 ? [] : await addAll(settings, some, nowMs);
    some.forEach((arrival, i) => answers.set(arrival, own[i] ?? null));
  };
  await add(inTime);
  const returning = await Promise.all(late.map((arrival) => returningOf(arrival, options, nowMs)));
  const found = await settings.store.addUnlessKnown(returning, nowMs);
  const wanted: Arrival[] = [];
  for (const [i, arrival] of late.entries()) {
    const answer = await answerToLate(arrival, found[i] as ReturnResult, options);
    if (answer === "again") wanted.push(arrival);
    else answers.set(arrival, answer);
  }
  await add(wanted);
  return arrivals.map((arrival) => answers.get(arrival) ?? null);
}

async function addAll<Tx>(
  { store }: Settings<Tx>,
  arrivals: readonly Arrival[],
  nowMs: number,
): Promise<(DeliveryResult | null)[]> {
  const added = await store.add("inbox", arrivals.map(({ record }) => record), nowMs);
  return arrivals.map((arrival, i) => answerTo(arrival, added[i] as AddResult));
}

/**
 * Whether a message is so late that its record may have been pruned. If its sender does not say
 * when it was first sent, this is true whenever the inbox remembers ids for longer than it keeps
 * records.
 */
function isLate<Tx>(
  { memory: { recordMs, rememberMs } }: Settings<Tx>,
  message: Message,
  nowMs: number,
): boolean {
  const firstAttemptAtMs = firstAttemptOf(message, nowMs);
  if (firstAttemptAtMs === undefined) return rememberMs > recordMs;
  return firstAttemptAtMs <= nowMs - recordMs + CLOCK_MARGIN_MS;
}

/**
 * When the message was first sent, according to its sender; undefined if that is missing or in the
 * future.
 */
function firstAttemptOf({ firstAttemptAtMs }: Message, nowMs: number): number | undefined {
  const isPast = firstAttemptAtMs !== undefined && firstAttemptAtMs <= nowMs + CLOCK_MARGIN_MS;
  return isPast ? firstAttemptAtMs : undefined;
}

async function returningOf(
  { record, message }: Arrival,
  options: DeliverOptions,
  nowMs: number,
): Promise<ReturningRecord> {
  const firstAttemptAtMs = firstAttemptOf(message, nowMs);
  const isFree = firstAttemptAtMs === undefined || isForced(message, options);
  const sinceMs = isFree ? null : firstAttemptAtMs - CLOCK_MARGIN_MS;
  return { record, key: await keyDigest(record), sinceMs };
}

function answerTo({ record }: Arrival, result: AddResult): DeliveryResult | null {
  if (result.added) return null;
  return conflictWith(record, result.existing) ?? resultOf(result.existing);
}

/**
 * The answer to a late message; `again` if it failed and was pruned, and its sender asks for a
 * retry from the start.
 */
async function answerToLate(
  arrival: Arrival,
  result: ReturnResult,
  options: DeliverOptions,
): Promise<DeliveryResult | null | "again"> {
  if (result.added || "existing" in result) return answerTo(arrival, result);
  if ("mayBePruned" in result) return TOO_OLD;
  const { record, message } = arrival;
  if (!await isSame(record, result.remembered)) return ID_CONFLICT;
  if (!result.remembered.hasFailed) return { kind: "handled", duplicate: true, reply: null };
  const isMeant = options.afreshAtMs !== undefined || isForced(message, options);
  return isMeant ? "again" : FAILED_BEFORE;
}

async function isSame(record: NewRecord, remembered: RememberedMessage): Promise<boolean> {
  const [content, principal] = await Promise.all([
    contentDigest(record.message),
    principalDigest(record.details?.principal),
  ]);
  return isRemembered({ content, principal }, remembered);
}

/**
 * Whether an operator forced the message (see `Bus.retry`), and the sender is one of our own
 * services or its push provider.
 */
function isForced({ isForced }: Message, { principal }: DeliverOptions): boolean {
  if (isForced !== true) return false;
  return principal === undefined || principal.kind === "service" ||
    principal.kind === "push_provider";
}
