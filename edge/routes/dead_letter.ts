/**
 * The undeliverable route: QStash tells of messages that it has given up.
 *
 * @module
 */
import type { Undeliverable, UndeliverableStanding } from "../../bus/api/undeliverable.ts";
import { AtlastError } from "../../core/errors.ts";
import { messageFromWire } from "../../core/message/headers.ts";
import { type QstashFailure, readQstashFailure } from "../../http/qstash.ts";
import { parametersOf } from "../../http/qstash_binding.ts";
import { bodyBytes, type Message } from "../../core/message/message.ts";
import { quotedReason } from "../../core/lifecycle/outcome.ts";
import { isBatch, isMessageHeader, parseBatch, type Verify } from "../../core/wire/wire.ts";
import { answer } from "../http/response.ts";
import type { Route } from "../http/error_boundary.ts";
import { keptBody, textOf } from "../http/message_body.ts";
import { Refusal, unavailable } from "../http/status.ts";
import { verified } from "../auth/authenticate.ts";

/** How a publisher hears of messages that QStash has given up. */
export interface UndeliverableOptions {
  /**
   * Decides whether a request may say so: `verifyQstash`. Only a push provider may, whomever else it lets
   * in, and never for the reason that it may deliver messages.
   */
  readonly verify: Verify;
  /**
   * Whether the reason of the failure quotes what the destination answered last.
   *
   * @default false
   */
  readonly quotesAnswer?: boolean;
}

/** When news of a message that is being sent just now is wanted again, in milliseconds. */
const SENDING_RETRY_MS = 5_000;

/** Makes the route. */
export function undeliverableRoute(
  tell: (report: Undeliverable) => Promise<UndeliverableStanding>,
  { verify, quotesAnswer = false }: UndeliverableOptions,
  maxBodyBytes: number,
): Route {
  return async (request, { report }) => {
    const { body, push } = await verified(request, verify, maxBodyBytes, "undeliverable", report);
    if (push === null) {
      throw new Refusal(
        403,
        "forbidden",
        "Cannot fail a message: want whoever took it to deliver it, and gave it up",
      );
    }
    const failure = readQstashFailure(textOf(body) ?? "");
    if (failure === null) {
      throw new AtlastError(
        "malformed_message",
        "Cannot read a failure callback: want QStash's, of a message of Atlast's",
      );
    }
    const { id, isTold } = failure;
    const message = messageOf(failure, Date.now());
    const quote = quotesAnswer && failure.answer !== "" ? `: ${failure.answer}` : "";
    const reason = quotedReason(`${failure.reason}${quote}`);
    const { proof } = parametersOf(push.url);
    const standing = await tell({
      id,
      reason,
      isTold,
      saidAtMs: push.signedAtMs,
      ...(message === null ? {} : { message }),
      ...(proof === null ? {} : { proof }),
    });
    if (standing === "sending") {
      throw unavailable(
        "sending",
        SENDING_RETRY_MS,
        "Cannot take it now: the message is being sent",
      );
    }
    return answer({ id, standing }, 200);
  };
}

/** The message itself; null where QStash does not give it back whole. */
function messageOf({ id, source }: QstashFailure, nowMs: number): Message | null {
  if (source.body === null || source.bytes === null) return null;
  try {
    const message = isBatch(source.headers["content-type"] ?? null)
      ? parseBatch(textOf(source.body) ?? "", nowMs)[0]?.message ?? null
      : messageFromWire(ownHeaders(source.headers), source.body, nowMs);
    if (message === null || message.id !== id) return null;
    const kept = { ...message, body: keptBody(message.contentType, message.body) };
    return bodyBytes(kept.body) === source.bytes ? kept : null;
  } catch {
    return null;
  }
}

function ownHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => isMessageHeader(name) || name === "content-type"),
  );
}
