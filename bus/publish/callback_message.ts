/**
 * Builds callbacks: the reply of a handler, and the failure callback of a message that failed for good.
 *
 * @module
 */
import { checkCallbackNames } from "../../core/message/callback_names.ts";
import type { Schema } from "../../core/message/contract.ts";
import { correlationSequence, HEADER, normalizeHeaders } from "../../core/message/headers.ts";
import {
  checkBodySize,
  JSON_CONTENT_TYPE,
  type Message,
  type MessageHeaders,
} from "../../core/message/message.ts";
import { checkName } from "../../core/message/name.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { MAX_REASON_LENGTH } from "../../core/lifecycle/outcome.ts";
import { encodeBody } from "./body_codec.ts";
import type { AnswerKind } from "../../core/message/id.ts";
import type { FailureReport } from "../api/failure_report.ts";
import { answerId } from "../settings/ids.ts";
import type { CallbackControl } from "../api/subscriber.ts";

/** Far above what W3C's trace context takes. */
const MAX_TRACEPARENT_LENGTH = 512;

/** A handler's choices for its callback, and the reading of them. */
export interface CallbackChoices {
  /** What the handler is given. */
  readonly control: CallbackControl;
  /** The headers it added. */
  readonly headers: () => MessageHeaders;
}

/** The name under which the publisher wants the reply; null when it wants none. */
export function requestedCallback(request: Message): string | null {
  return request.headers[HEADER.callbackName] || null;
}

/** Whether the publisher wants to learn of a final failure. */
export function wantsFailureCallback({ headers }: Message): boolean {
  return (headers[HEADER.failureCallbackName] ?? "") !== "";
}

/** The choices for one attempt. They live outside the message, so that a failed attempt leaves no trace. */
export function callbackChoices(request: Message): CallbackChoices {
  let name = requestedCallback(request);
  const added: Record<string, string> = {};
  return {
    control: {
      get name() {
        return name;
      },
      addHeader(header, value) {
        const own = normalizeHeaders({ [header]: value });
        checkCallbackNames(own);
        Object.assign(added, own);
      },
      rewrite(to) {
        checkName(to.name);
        name = to.name;
      },
      remove() {
        name = null;
      },
    },
    headers: () => added,
  };
}

/** Who answers a message, and after how much. */
interface Answering {
  /** The message. */
  readonly request: Message;
  /** The group that answers; the empty string where the publisher could not send the message. */
  readonly group: string;
  /** The name of the service that answers. */
  readonly responder: string;
  /** Which time it is that the message was tried from the start, from 1 on. */
  readonly round: number;
  /** Of a conflict of ids: the digest of the message. */
  readonly content?: string;
}

/** Which time it is that a record is tried from the start, from 1 on: one more after each retry by an operator. */
export function roundOf({ details }: Pick<StoredRecord, "details">): number {
  return details?.round ?? 1;
}

/**
 * The reply to a request, under the name its callback goes to.
 *
 * @throws {ContractError} When the value does not fit the reply's schema.
 * @throws {AtlastError} `too_large` when it has more than `maxBytes`, or too many headers were added.
 */
export async function replyMessage(
  { request, group, round, ...answering }: Omit<Answering, "responder"> & {
    readonly responder: () => Promise<string>;
  },
  schema: Schema | undefined,
  value: unknown,
  choices: CallbackChoices,
  nowMs: number,
  maxBytes: number,
): Promise<Message | null> {
  const encoded = await encodeBody(schema, value, undefined, `reply to "${request.name}"`);
  checkBodySize(encoded.body, maxBytes);
  const name = choices.control.name;
  if (name === null) return null;
  const by = { request, group, round, responder: await answering.responder() };
  return {
    id: await answerIdBy("reply", by),
    name,
    headers: normalizeHeaders({
      ...choices.headers(),
      ...answerHeaders(by),
      [HEADER.afterFailure]: isAfterFailure(request, round) ? "true" : undefined,
    }),
    ...encoded,
    sentAtMs: nowMs,
  };
}

/**
 * Word to the publisher that `request` failed for good; null when it did not ask for it.
 *
 * @param kind `conflict` for one that was rejected on arrival, so that its failure callback is none of the message
 * that has its id.
 */
export async function failureMessage(
  by: Answering,
  report: FailureReport,
  nowMs: number,
  kind: "failure" | "conflict" = "failure",
): Promise<Message | null> {
  const name = by.request.headers[HEADER.failureCallbackName] || null;
  if (name === null) return null;
  const reason = `${report.code}-->${report.reason}`.slice(0, MAX_REASON_LENGTH).toWellFormed();
  const exception = Array.from(reason, (char) => char < " " || char === "\x7f" ? " " : char);
  return {
    id: await answerIdBy(kind, by),
    name,
    headers: normalizeHeaders({ ...answerHeaders(by), [HEADER.exception]: exception.join("") }),
    contentType: JSON_CONTENT_TYPE,
    body: JSON.stringify(report),
    sentAtMs: nowMs,
  };
}

/**
 * Whether the publisher of a message may have learnt of a final failure of it before: an operator had it tried
 * again, here or where it was sent from.
 */
function isAfterFailure(request: Message, round: number): boolean {
  const { headers } = request;
  if (headers[HEADER.afterFailure] === "true") return true;
  return round > 1 && wantsFailureCallback(request);
}

/** A message as it is sent in a round: from the second on it says that a failure callback came before. */
export function messageOfRound({ message, details }: StoredRecord): Message {
  if (details?.round === undefined || !isAfterFailure(message, details.round)) return message;
  return { ...message, headers: { ...message.headers, [HEADER.afterFailure]: "true" } };
}

function answerIdBy(
  kind: AnswerKind,
  { request, ...by }: Answering,
): Promise<string> {
  return answerId({ kind, requestId: request.id, ...by });
}

/**
 * CAP's correlation: an answer points at its request, and counts one more. With the responder, and the round after the
 * first, that is all that its id is derived from: what a handler set of these does not count.
 */
function answerHeaders(
  { request, group, responder, round, content }: Answering,
): Record<string, string | undefined> {
  const traceparent = request.headers[HEADER.traceparent];
  return {
    [HEADER.correlationId]: request.id,
    [HEADER.correlationSequence]: String(correlationSequence(request) + 1),
    [HEADER.group]: group === "" ? undefined : group,
    [HEADER.responder]: responder,
    [HEADER.round]: round === 1 ? undefined : String(round),
    [HEADER.content]: content,
    // One that is no trace context could be so long that the answer's own headers find no room.
    [HEADER.traceparent]: (traceparent ?? "").length > MAX_TRACEPARENT_LENGTH
      ? undefined
      : traceparent,
  };
}
