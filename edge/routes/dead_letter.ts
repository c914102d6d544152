/**
 * The undeliverable route: a push provider reports messages that it has given up.
 *
 * @module
 */
import type { Undeliverable, UndeliverableStanding } from "../../bus/api/undeliverable.ts";
import { AtlastError } from "../../core/errors.ts";
import { messageFromWire } from "../../core/message/headers.ts";
import { bodyBytes, type Message } from "../../core/message/message.ts";
import type { DeadLetterReport } from "../../core/ports/dialect.ts";
import { quotedReason } from "../../core/lifecycle/outcome.ts";
import { isBatch, isMessageHeader, parseBatch, type Verify } from "../../core/wire/wire.ts";
import { answer } from "../http/response.ts";
import type { Route } from "../http/error_boundary.ts";
import { kept, textOf } from "../http/message_body.ts";
import { Refusal, unavailable } from "../http/status.ts";
import { verified } from "../auth/authenticate.ts";

/** How a publisher hears of messages that a push provider has given up. */
export interface UndeliverableOptions {
  /**
   * Decides whether a request may say so: the verifier of a push provider. Only that may, whomever else it
   * lets in, and never for the reason that it may deliver messages.
   */
  readonly verify: Verify;
  /**
   * Whether the reason of the failure quotes what the destination answered last; false if not given, as
   * that may hold anything.
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
  return async (request, around) => {
    const { body, push } = await verified(request, verify, maxBodyBytes, "undeliverable", around);
    if (push?.dialect.readDeadLetter === undefined) {
      throw new Refusal(
        403,
        "forbidden",
        "Cannot fail a message: want whoever took it to deliver it, and gave it up",
      );
    }
    const report = push.dialect.readDeadLetter(textOf(body) ?? "", push);
    if (report === null) {
      throw new AtlastError(
        "malformed_message",
        "Cannot read this report: want the push provider's own, of a message of Atlast's",
      );
    }
    const { id, isTold, proof } = report;
    const message = messageOf(report, Date.now());
    const quote = quotesAnswer && report.answer !== "" ? `: ${report.answer}` : "";
    const reason = quotedReason(`${report.reason}${quote}`);
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

/** The message itself; null where the provider does not give it back whole. */
function messageOf({ id, request }: DeadLetterReport, nowMs: number): Message | null {
  const { headers, body, messageBytes } = request;
  if (body === null || messageBytes === null) return null;
  try {
    const message = isBatch(headers["content-type"] ?? null)
      ? parseBatch(textOf(body) ?? "", nowMs)[0]?.message ?? null
      : messageFromWire(ownHeaders(headers), body, nowMs);
    if (message === null || message.id !== id) return null;
    return bodyBytes(message.body) === messageBytes ? kept(message) : null;
  } catch {
    return null;
  }
}

function ownHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => isMessageHeader(name) || name === "content-type"),
  );
}
