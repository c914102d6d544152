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

/** Far above the length of a W3C trace context. */
const MAX_TRACEPARENT_LENGTH = 512;

/** A handler's choices for its callback. */
export interface CallbackChoices {
  /** The control that the handler gets. */
  readonly control: CallbackControl;
  /** Returns the headers it added. */
  readonly headers: () => MessageHeaders;
}

/** The name under which the publisher requested the reply; null if it requested none. */
export function requestedCallback(request: Message): string | null {
  return request.headers[HEADER.callbackName] || null;
}

/** Whether the publisher requested a failure callback. */
export function wantsFailureCallback({ headers }: Message): boolean {
  return (headers[HEADER.failureCallbackName] ?? "") !== "";
}

/**
 * Creates the choices of one attempt. They are not stored in the message, so a failed attempt does
 * not affect the next.
 */
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

/** The origin of an answer. */
interface Answering {
  /** The message that is answered. */
  readonly request: Message;
  /** The group that answers; the empty string where the publisher could not send the message. */
  readonly group: string;
  /** The name of the service that answers. */
  readonly responder: string;
  /** The round of the message; see {@linkcode roundOf}. */
  readonly round: number;
  /** For a conflict of ids: the digest of the message. */
  readonly content?: string;
}

/** The round of a record: 1, and one more after each retry by an operator. */
export function roundOf({ details }: Pick<StoredRecord, "details">): number {
  return details?.round ?? 1;
}

/**
 * Builds the reply to a request, under the requested callback name.
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
 * Builds the failure callback of `request`; null if its publisher requested none.
 *
 * @param kind `conflict` for a message that was rejected because another has its id. The failure
 * callbacks of the two then differ in their ids.
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
 * Whether the publisher may have been notified of an earlier failure of this message: an operator
 * retried it here, or at the service that sent it.
 */
function isAfterFailure(request: Message, round: number): boolean {
  const { headers } = request;
  if (headers[HEADER.afterFailure] === "true") return true;
  return round > 1 && wantsFailureCallback(request);
}

/**
 * The message as it is sent in its round. From the second round on, a header says that a failure
 * callback may have come before.
 */
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
 * The correlation headers of an answer, as in CAP: the request's id, and its sequence number plus
 * one. The id of the answer is derived from these, the responder and a round after the first.
 * Values that a handler set for these headers are ignored.
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
    // A longer value is no trace context, and could exceed the header limit together with the
    // answer's headers.
    [HEADER.traceparent]: (traceparent ?? "").length > MAX_TRACEPARENT_LENGTH
      ? undefined
      : traceparent,
  };
}
