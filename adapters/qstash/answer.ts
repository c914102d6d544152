/**
 * Turns QStash's answers into a result for each message of a request.
 *
 * @module
 */
import { isConnectFailure } from "../../http/connect_failure.ts";
import { systemCode } from "../../http/post.ts";
import { isObject, parsed } from "../../core/json.ts";
import { quotedReason } from "../../core/lifecycle/outcome.ts";
import type { SendResult } from "../../core/ports/transport.ts";
import { isInstance, propertyOf } from "../../core/user_code/thrown.ts";

/** A failure, and what it means for later requests. */
export interface Trouble {
  /** The result of each message. */
  readonly result: SendResult & { readonly kind: "failed" };
  /** Whether one message of a batch may have caused the failure of all. */
  readonly mayBeOne: boolean;
  /** Until when QStash refuses every request, in Unix milliseconds; undefined if it may accept another one. */
  readonly closedUntilMs?: number;
}

/** How long to wait if a rate limit has no reset time, in milliseconds. */
const BURST_MS = 1_000;
const DAILY_MS = 60 * 60_000;
/** The longest wait for the reset of a limit, in milliseconds: that of the daily limit. */
const MAX_RESET_MS = 25 * 60 * 60_000;

/** QStash's answer for one message: an accepted one, several of a URL group, or an error. */
type Taken =
  | { readonly kind: "taken"; readonly duplicates: readonly string[] }
  | { readonly kind: "trouble"; readonly result: SendResult };

/** Reads the part of an answer that belongs to one message. */
export function takenOf(answer: unknown): Taken {
  const all = Array.isArray(answer) ? answer : [answer];
  const duplicates: string[] = [];
  for (const one of all) {
    if (!isObject(one) || typeof one["messageId"] !== "string") return refusedOne(one);
    if (one["deduplicated"] === true) duplicates.push(one["messageId"]);
  }
  if (all.length > 0) return { kind: "taken", duplicates };
  // A URL group without endpoints: QStash accepts the message, but delivers it nowhere.
  return { kind: "trouble", result: notTaken(failed("The URL group has no endpoints", true)) };
}

function refusedOne(answer: unknown): Taken {
  const said = isObject(answer) && typeof answer["error"] === "string" ? answer["error"] : null;
  const result = said === null
    ? failed("QStash returned no id for it", true)
    : notTaken(failed(`QStash did not take it: ${said}`, true));
  return { kind: "trouble", result };
}

/**
 * Interprets an error of the client. It is recognised by its name and status, because the client may come
 * from another copy of its package.
 */
export function troubleOf(thrown: unknown, nowMs: number): Trouble {
  const status = propertyOf(thrown, "status");
  if (typeof status !== "number") return unanswered(thrown);
  if (status === 429) return limited(thrown, nowMs);
  const said = sayingOf(propertyOf(thrown, "message"));
  // QStash refuses a whole batch because of one message, which may be any of them.
  if (status === 400 || status === 413 || status === 422) {
    // A host name that does not resolve now may resolve later.
    const retryable = /unable to resolve/i.test(said);
    const refused = notTaken(failed(`QStash refused it (${status})${said}`, retryable));
    return { result: refused, mayBeOne: true };
  }
  const isForbidden = status === 401 || status === 403;
  const meaning = isForbidden ? ": is the token right?" : said;
  const result = failed(`QStash answered ${status}${meaning}`, true);
  return { result: isForbidden ? notTaken(result) : result, mayBeOne: false };
}

/** A failure of a message that QStash did not accept. */
export function notTaken<Result extends SendResult>(result: Result): Result {
  return { ...result, arrived: "no" };
}

/** A failure of a message because QStash takes none for `waitMs` milliseconds. */
export function limitReached(
  reason: string,
  waitMs: number,
): SendResult & { readonly kind: "failed" } {
  return notTaken({ ...failed(reason, true, waitMs), delayedBy: "rate_limit" });
}

/** A failure of a message. */
export function failed(
  reason: string,
  retryable: boolean,
  retryAfterMs?: number,
): SendResult & { readonly kind: "failed" } {
  return {
    kind: "failed",
    reason: quotedReason(reason),
    retryable,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function unanswered(thrown: unknown): Trouble {
  if (isInstance(thrown, SyntaxError)) {
    // It may have accepted the messages all the same. Their deduplication ids prevent duplicates.
    return { result: failed("QStash did not answer in JSON", true), mayBeOne: false };
  }
  const code = systemCode(thrown);
  const result = failed(`Cannot reach QStash${code === null ? "" : `: ${code}`}`, true);
  return { result: isConnectFailure(thrown) ? notTaken(result) : result, mayBeOne: false };
}

function limited(error: unknown, nowMs: number): Trouble {
  const isDaily = propertyOf(error, "name") === "QstashDailyRatelimitError";
  const reset = propertyOf(error, "reset");
  const resetMs = typeof reset === "string" && /^\d{1,11}$/.test(reset)
    ? Number(reset) * 1000 - nowMs
    : isDaily
    ? DAILY_MS
    : BURST_MS;
  const waitMs = Math.min(Math.max(resetMs, BURST_MS), MAX_RESET_MS);
  const which = isDaily ? "daily limit" : "rate limit";
  return {
    result: limitReached(`QStash's ${which} is reached`, waitMs),
    mayBeOne: false,
    closedUntilMs: nowMs + waitMs,
  };
}

/** The error text of QStash, without its JSON. It contains no secret. */
function sayingOf(message: unknown): string {
  if (typeof message !== "string") return "";
  const answer = parsed(message);
  const said = isObject(answer) && typeof answer["error"] === "string" ? answer["error"] : "";
  return said === "" ? "" : `: ${said}`;
}
