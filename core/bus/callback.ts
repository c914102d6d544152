/**
 * The messages that go back: a handler's reply, and word of a failure that is final.
 *
 * @module
 */
import type { Schema } from "../contract.ts";
import { correlationSequence, HEADER, normalizeHeaders } from "../headers.ts";
import { checkBodySize, JSON_CONTENT_TYPE, type Message, type MessageHeaders } from "../message.ts";
import { checkName } from "../name.ts";
import { encodeBody } from "./codec.ts";
import type { FailureReport } from "./failure_report.ts";
import { callbackId } from "./ids.ts";
import type { CallbackControl } from "./subscriber.ts";

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
        Object.assign(added, normalizeHeaders({ [header]: value }));
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

/**
 * The reply to a request, under the name its callback goes to.
 *
 * @throws {ContractError} When the value does not fit the reply's schema.
 * @throws {AtlastError} `too_large` when it has more than `maxBytes`, or too many headers were added.
 */
export async function replyMessage(
  request: Message,
  group: string,
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
  return {
    id: await callbackId(request.id, group, "reply"),
    name,
    headers: normalizeHeaders({ ...choices.headers(), ...answering(request, group) }),
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
  request: Message,
  report: FailureReport,
  nowMs: number,
  kind: "failure" | "conflict" = "failure",
): Promise<Message | null> {
  const name = request.headers[HEADER.failureCallbackName] || null;
  if (name === null) return null;
  const exception = Array.from(report.reason, (char) => char < " " || char === "\x7f" ? " " : char);
  return {
    id: await callbackId(request.id, report.group, kind),
    name,
    headers: { ...answering(request, report.group), [HEADER.exception]: exception.join("") },
    contentType: JSON_CONTENT_TYPE,
    body: JSON.stringify(report),
    sentAtMs: nowMs,
  };
}

/** CAP's correlation: an answer points at its request, and counts one more. */
function answering(request: Message, group: string): MessageHeaders {
  const traceparent = request.headers[HEADER.traceparent];
  return {
    [HEADER.correlationId]: request.id,
    [HEADER.correlationSequence]: String(correlationSequence(request) + 1),
    ...(group === "" ? {} : { [HEADER.group]: group }),
    ...(traceparent === undefined ? {} : { [HEADER.traceparent]: traceparent }),
  };
}
