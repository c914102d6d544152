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

/** A failure, with what it says of requests to come. */
export interface Trouble {
  /** What became of each message. */
  readonly result: SendResult & { readonly kind: "failed" };
  /** Whether one message of a batch may have spoilt it for the others. */
  readonly mayBeOne: boolean;
  /** Until when no request would be taken, in Unix milliseconds; not given where another one may be. */
  readonly closedUntilMs?: number;
}

/** How long to wait where a rate limit does not say, in milliseconds. */
const BURST_MS = 1_000;
const DAILY_MS = 60 * 60_000;
/** The longest that is waited for a limit to be reset, in milliseconds: the daily one takes no longer. */
const MAX_RESET_MS = 25 * 60 * 60_000;

/** What QStash gave back for one message: one that it has, or several of a URL group, or an error. */
type Taken =
  | { readonly kind: "taken"; readonly duplicates: readonly string[] }
  | { readonly kind: "trouble"; readonly result: SendResult };

/** Reads what stands for a message in an answer. */
export function takenOf(answer: unknown): Taken {
  const all = Array.isArray(answer) ? answer : [answer];
  const duplicates: string[] = [];
  for (const one of all) {
    if (!isObject(one) || typeof one["messageId"] !== "string") return refusedOne(one);
    if (one["deduplicated"] === true) duplicates.push(one["messageId"]);
  }
  if (all.length > 0) return { kind: "taken", duplicates };
  // A URL group without endpoints: QStash has it, and delivers it to nobody.
  return { kind: "trouble", result: notTaken(failed("The URL group has no endpoints", true)) };
}

function refusedOne(answer: unknown): Taken {
  const said = isObject(answer) && typeof answer["error"] === "string" ? answer["error"] : null;
  const result = said === null
    ? failed("QStash gave no id for it", true)
    : notTaken(failed(`QStash did not take it: ${said}`, true));
  return { kind: "trouble", result };
}

/**
 * What it means that the client threw. An error is known by its name and status, as the client may be
 * from another copy of its package.
 */
export function troubleOf(thrown: unknown, nowMs: number): Trouble {
  const status = propertyOf(thrown, "status");
  if (typeof status !== "number") return unanswered(thrown);
  if (status === 429) return limited(thrown, nowMs);
  const said = sayingOf(propertyOf(thrown, "message"));
  // A whole batch is refused for one message, and any of them may be that one.
  if (status === 400 || status === 413 || status === 422) {
    // A name that does not resolve now may do so later.
    const retryable = /unable to resolve/i.test(said);
    const refused = notTaken(failed(`QStash refused it (${status})${said}`, retryable));
    return { result: refused, mayBeOne: true };
  }
  const isForbidden = status === 401 || status === 403;
  const meaning = isForbidden ? ": is the token right?" : said;
  const result = failed(`QStash answered ${status}${meaning}`, true);
  return { result: isForbidden ? notTaken(result) : result, mayBeOne: false };
}

/** A failure of a message that QStash does not have. */
export function notTaken<Result extends SendResult>(result: Result): Result {
  return { ...result, arrived: "no" };
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
    // It may have taken the messages all the same: their ids keep them from being taken twice.
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
    result: notTaken(failed(`QStash's ${which} is reached`, true, waitMs)),
    mayBeOne: false,
    closedUntilMs: nowMs + waitMs,
  };
}

/** What QStash says is wrong, which names no secret of ours, in place of its JSON. */
function sayingOf(message: unknown): string {
  if (typeof message !== "string") return "";
  const answer = parsed(message);
  const said = isObject(answer) && typeof answer["error"] === "string" ? answer["error"] : "";
  return said === "" ? "" : `: ${said}`;
}
