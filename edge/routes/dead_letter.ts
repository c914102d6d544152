/**
 * The dead-letter route: a push provider reports messages that it has dead-lettered.
 *
 * @module
 */
import { aFlag, anything, checkOptions, type OptionCheck } from "../../core/check_options.ts";
import type { DeadLetter, DeadLetterStanding } from "../../bus/api/dead_letter.ts";
import { AtlastError } from "../../core/errors.ts";
import { HEADER, messageFromWire } from "../../core/message/headers.ts";
import { bodyBytes, type Message } from "../../core/message/message.ts";
import type { DeadLetterReport } from "../../core/ports/dialect.ts";
import { quotedReason } from "../../core/lifecycle/outcome.ts";
import { NOTIFIED_HEADER } from "../../core/wire/redelivery.ts";
import { readSentHeader, SENT_HEADER } from "../../core/wire/sent_header.ts";
import { fromBase64 } from "../../core/wire/base64.ts";
import { isBatch, isMessageHeader, parseBatch, type Verify } from "../../core/wire/wire.ts";
import { answer } from "../http/response.ts";
import type { Route } from "../http/error_boundary.ts";
import { kept, textOf } from "../http/message_body.ts";
import { Refusal, unavailable } from "../http/status.ts";
import { verified } from "../auth/authenticate.ts";

/** The options of the dead-letter route. */
export interface DeadLetterRouteOptions {
  /**
   * The verifier of a push provider. Any other principal that it accepts is refused. The right to
   * deliver messages does not include the right to report them.
   */
  readonly verify: Verify;
  /**
   * Whether the reason of the failure quotes the last response of the destination.
   *
   * @default false
   */
  readonly quotesAnswer?: boolean;
}

/**
 * After how long the provider should repeat a report about a message that is being sent, in
 * milliseconds.
 */
const SENDING_RETRY_MS = 5_000;

const OPTIONS: Readonly<Record<keyof DeadLetterRouteOptions, OptionCheck>> = {
  verify: anything,
  quotesAnswer: aFlag,
};

/** Creates the route. */
export function deadLetterRoute(
  deadLetter: (report: DeadLetter) => Promise<DeadLetterStanding>,
  options: DeadLetterRouteOptions,
  maxBodyBytes: number,
): Route {
  checkOptions("make the dead-letter route with", options, OPTIONS);
  const { verify, quotesAnswer = false } = options;
  return async (request, around) => {
    const { body, push } = await verified(request, verify, maxBodyBytes, "dead-letter", around);
    if (push?.dialect.readDeadLetter === undefined) {
      throw new Refusal(
        403,
        "forbidden",
        "Cannot fail a message: want the push provider that dead-lettered it",
      );
    }
    const report = push.dialect.readDeadLetter(textOf(body) ?? "", push);
    const sent = readSentHeader(report?.request.headers[SENT_HEADER] ?? "");
    const id = sent?.id ?? report?.request.headers[HEADER.id] ?? "";
    if (report === null || id === "") {
      throw new AtlastError(
        "malformed_message",
        "Cannot read this report: want the push provider's own, of a message of Atlast's",
      );
    }
    const { answer: last, proof } = report;
    const message = sent === null ? null : messageOf(report, sent, Date.now());
    const said = quotesAnswer ? new TextDecoder().decode(bytesOf(last.body) ?? undefined) : "";
    const quote = said === "" ? "" : `: ${said}`;
    const reason = quotedReason(`${reasonOf(push.dialect.name, report)}${quote}`);
    const standing = await deadLetter({
      id,
      reason,
      isPublisherNotified: last.headers[NOTIFIED_HEADER] === "true",
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

/** The message itself; null if the provider does not return it completely. */
function messageOf(
  { request: { headers, body: base64 } }: DeadLetterReport,
  sent: { readonly id: string; readonly bytes: number },
  nowMs: number,
): Message | null {
  const body = bytesOf(base64);
  if (body === null) return null;
  try {
    const message = isBatch(headers["content-type"] ?? null)
      ? parseBatch(textOf(body) ?? "", nowMs)[0]?.message ?? null
      : messageFromWire(ownHeaders(headers), body, nowMs);
    if (message === null || message.id !== sent.id) return null;
    return bodyBytes(message.body) === sent.bytes ? kept(message) : null;
  } catch {
    return null;
  }
}

/** The reason for the operator: who answered what, and where the message is now. */
function reasonOf(
  provider: string,
  { attempts, url, answer, reference }: DeadLetterReport,
): string {
  const tried = attempts === null ? "" : ` after ${attempts} attempts`;
  // Only the host, because a path or query may contain a secret.
  const host = url !== null && URL.canParse(url) ? new URL(url).host : "its destination";
  const said = answer.status === null ? "did not answer" : `answered ${answer.status}`;
  return `${provider} dead-lettered it${tried}: ${host} ${said} (${reference})`;
}

function bytesOf(base64: string | null): Uint8Array | null {
  return base64 === null ? null : fromBase64(base64);
}

function ownHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => isMessageHeader(name) || name === "content-type"),
  );
}
