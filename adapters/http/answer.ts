/**
 * Turns the answer to a request into a result for each of its messages. Called by the transport for each
 * request.
 *
 * @module
 */
import { type FailureCode, readFailureCode } from "../../core/lifecycle/failure_code.ts";
import { isObject, parsed } from "../../core/json.ts";
import type { Message } from "../../core/message/message.ts";
import { quotedReason } from "../../core/lifecycle/outcome.ts";
import type { Arrival, SendResult } from "../../core/ports/transport.ts";
import { ARRIVED_HEADER } from "../../core/wire/redelivery.ts";
import { arrivalOfRefusal } from "../../core/ports/arrival.ts";
import {
  BODY_READ_BEFORE,
  isWireResult,
  parseAnswer,
  parseError,
  type WireResult,
} from "../../core/wire/wire.ts";
import type { PostResult } from "../../http/post.ts";
import type { HttpAnswers } from "./target.ts";
import { type DelayedBy, readDelayedBy } from "../../core/lifecycle/delayed_by.ts";
import { boundedRetryAfter, readRetryAfter } from "../../http/retry_after.ts";

const SENT: SendResult = { kind: "sent" };

/**
 * Statuses of answers with a result for each message: handled, accepted, none readable, stored as
 * failed.
 */
const WITH_RESULTS: ReadonlySet<number> = new Set([200, 202, 400, 422]);

/** Statuses that another attempt would not change: unreadable, too large, headers too large, never acceptable. */
const FINAL_STATUSES: ReadonlySet<number> = new Set([400, 413, 431, 489]);

/**
 * Statuses that mean that the message was not accepted, even from a proxy: unauthenticated, forbidden, unknown,
 * too large, too many. All other statuses may be sent after the message took effect.
 */
const NOT_TAKEN_STATUSES: ReadonlySet<number> = new Set([
  401,
  403,
  404,
  405,
  411,
  413,
  414,
  415,
  429,
  431,
]);

/** Codes of Atlast's own answers that say that the message was not taken. */
const NOT_TAKEN_CODES: ReadonlySet<string> = new Set([
  "stopping",
  "stopped",
  "refused",
  "retry_after",
  "rate_limit",
  "deadline_exceeded",
  "rejected",
  "no_subscriber",
  "malformed_message",
  "invalid_header",
  "invalid_id",
  "invalid_name",
]);

/** Codes by which a service says that it is stopping. */
const STOPPING_CODES: ReadonlySet<string> = new Set(["stopping", "stopped"]);

/**
 * The result of each message.
 *
 * @param host The host of the request, for the reasons.
 * @param nowMs Unix time in milliseconds.
 */
export function resultsOf(
  result: PostResult,
  messages: readonly Message[],
  host: string,
  nowMs: number,
  style: HttpAnswers,
): SendResult[] {
  if (result.kind === "answered" && WITH_RESULTS.has(result.status)) {
    const answers = parseAnswer(result.text ?? "", messages.map(({ id }) => id));
    if (answers !== null) return answers.map((answer) => resultOf(answer, host));
  }
  if (style === "any_2xx" && isTaken(result)) return messages.map(() => SENT);
  const failure = failureOf(result, host, nowMs);
  return messages.map(() => failure);
}

/** Whether an answer is a success, and not one of an Atlast service about other messages. */
function isTaken(result: PostResult): boolean {
  return result.kind === "answered" && result.status >= 200 && result.status < 300 &&
    !saysResults(result.text ?? "");
}

/** A failure after which another attempt may succeed. */
export function retryable(
  reason: string,
  arrived: Arrival,
  retryAfterMs?: number,
  delayedBy?: DelayedBy,
): SendResult {
  return {
    kind: "failed",
    reason: quotedReason(reason),
    retryable: true,
    ...(arrived === "no" ? { arrived } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(delayedBy === undefined ? {} : { delayedBy }),
  };
}

/** A failure that would be the same each time. */
export function final(reason: string, arrived: Arrival, code?: FailureCode): SendResult {
  return {
    kind: "failed",
    reason: quotedReason(reason),
    retryable: false,
    ...(arrived === "no" ? { arrived } : {}),
    ...(code === undefined ? {} : { code }),
  };
}

/** It was not accepted because the sender or the receiver is stopping. */
function stopping(reason: string, arrived: Arrival, retryAfterMs?: number): SendResult {
  return {
    kind: "stopping",
    reason: quotedReason(reason),
    ...(arrived === "no" ? { arrived } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function saysResults(text: string): boolean {
  const answer = parsed(text);
  const results = isObject(answer) ? answer["results"] : undefined;
  return Array.isArray(results) && results.length > 0 && results.every(isWireResult);
}

function resultOf(answer: WireResult, host: string): SendResult {
  const { status, reason, retryAfterMs } = answer;
  const code = readFailureCode(answer.code);
  const arrived = arrivalOfRefusal({ ...answer, code });
  const said = reason === undefined ? "" : `: ${reason}`;
  switch (status) {
    case "accepted":
    case "handled":
    // The receiver stored it as failed, and is responsible for it from now on.
    case "failed":
      return SENT;
    case "no_subscriber":
      return retryable(`${host} has no subscriber for it now`, "no");
    case "refused": {
      const waitMs = boundedRetryAfter(retryAfterMs);
      const why = `${host} did not take it now${said}`;
      if (code === "stopping") return stopping(why, arrived, waitMs);
      return retryable(why, arrived, waitMs, readDelayedBy(answer.code));
    }
    case "rejected":
      return final(`${host} will never take it${said}`, arrived, code);
    case "malformed":
      return final(`${host} cannot read it${said}`, "no", "malformed_message");
    default:
      return retryable(`${host} answered with an unknown status`, "unknown");
  }
}

/** Whether a message may have taken effect although the answer is not a success. */
function mayBeTaken(status: number, code: string | undefined, headers: Headers): boolean {
  if (headers.has(ARRIVED_HEADER)) return true;
  return !(NOT_TAKEN_STATUSES.has(status) || NOT_TAKEN_CODES.has(code ?? ""));
}

function failureOf(result: PostResult, host: string, nowMs: number): SendResult {
  switch (result.kind) {
    case "stopped":
      return stopping(`The bus stopped before ${host} answered`, result.begun ? "unknown" : "no");
    case "timed_out":
      return retryable(`${host} did not answer in time`, "unknown");
    case "unreachable":
      return retryable(
        `Cannot reach ${host}${result.code === null ? "" : `: ${result.code}`}`,
        result.begun ? "unknown" : "no",
      );
    case "answered":
      return answeredFailure(result, host, nowMs);
  }
}

function answeredFailure(
  { status, headers, text }: PostResult & { kind: "answered" },
  host: string,
  nowMs: number,
): SendResult {
  if (status >= 200 && status < 300) {
    return retryable(
      `${host} did not answer as an Atlast service: got status ${status}, want 200 and what became of each message`,
      "unknown",
    );
  }
  // Browsers hide a redirect behind status 0.
  if (status === 0 || (status >= 300 && status < 400)) {
    return retryable(
      `${host} answered with a redirect (${status}), which is not followed`,
      "unknown",
    );
  }
  const error = parseError(text ?? "");
  const said = error === null ? "" : `: ${error.code}: ${error.message}`;
  if (error?.code === BODY_READ_BEFORE) {
    return { kind: "unroutable", reason: quotedReason(`${host} answered ${status}${said}`) };
  }
  const arrived = mayBeTaken(status, error?.code, headers) ? "unknown" : "no";
  if (FINAL_STATUSES.has(status) || error?.final === true) {
    return final(`${host} answered ${status}${said}`, arrived, readFailureCode(error?.code));
  }
  const meaning = status === 401 || status === 403
    ? " (does it have the same keys?)"
    : status === 404
    ? " (does the route say where it takes deliveries, such as …/deliver?)"
    : "";
  const why = `${host} answered ${status}${meaning}${said}`;
  // Atlast services answer the same in milliseconds.
  const waitMs = boundedRetryAfter(error?.retryAfterMs) ??
    readRetryAfter(headers.get("retry-after"), nowMs);
  return status === 503 && STOPPING_CODES.has(error?.code ?? "")
    ? stopping(why, arrived, waitMs)
    : retryable(why, arrived, waitMs, status === 429 ? "rate_limit" : readDelayedBy(error?.code));
}
