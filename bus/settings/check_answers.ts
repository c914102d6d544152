/**
 * Checks return values of stores, transports and participants where an invalid value would make a
 * bus loop or mix up messages.
 *
 * @module
 */
import type { CheckAnswer } from "../../core/lifecycle/check_back.ts";
import { readDelayedBy } from "../../core/lifecycle/delayed_by.ts";
import { readFailureCode } from "../../core/lifecycle/failure_code.ts";
import { ignoreRejection } from "../../core/user_code/guard.ts";
import type { MessageHeaders } from "../../core/message/message.ts";
import type { SendResult, Transport } from "../../core/ports/transport.ts";
import type { PullResult } from "../../core/ports/pull.ts";

/**
 * The send result of the message at `index`, copied; undefined if it is missing, invalid or cannot
 * be read. Never throws, so that one invalid result does not affect the other messages of the
 * batch.
 *
 * @param results What the transport returned for the whole batch.
 */
export function sendResultAt(results: unknown, index: number): SendResult | undefined {
  try {
    return Array.isArray(results) ? readSendResult(results[index]) : undefined;
  } catch {
    return undefined;
  }
}

function readSendResult(result: unknown): SendResult | undefined {
  if (typeof result !== "object" || result === null) return undefined;
  const { kind, ...rest } = result as Record<string, unknown>;
  if (kind === "sent") return { kind };
  const { reason, retryable, retryAfterMs, arrived, code, delayedBy, unreachable } = rest;
  if (typeof reason !== "string") return undefined;
  if (kind === "unroutable") return { kind, reason };
  if (kind !== "failed" && kind !== "stopping") return undefined;
  const said = {
    reason,
    ...(isDuration(retryAfterMs) ? { retryAfterMs } : {}),
    ...(arrived === "no" || arrived === "unknown" ? { arrived } as const : {}),
  };
  if (kind === "stopping") return { kind, ...said };
  const known = readFailureCode(code);
  const by = readDelayedBy(delayedBy);
  // A failure is final only if the transport says so.
  const failed = {
    kind,
    ...said,
    retryable: retryable !== false,
    ...(by === undefined ? {} : { delayedBy: by }),
    ...(isDestination(unreachable) ? { unreachable } : {}),
  } as const;
  return known === undefined ? failed : { ...failed, code: known };
}

/**
 * Whether a transport has a route.
 *
 * @throws {TypeError} If `routes` returned no boolean, for instance the promise of an async
 * function.
 */
export function hasRoute(
  transport: Pick<Transport, "routes">,
  name: string,
  headers: MessageHeaders,
): boolean {
  const isRouted: unknown = transport.routes(name, headers);
  if (typeof isRouted === "boolean") return isRouted;
  ignoreRejection(isRouted);
  throw new TypeError("Cannot use the result of routes: want true or false");
}

/**
 * Checks the number of records that a store reports as deleted.
 *
 * @throws {TypeError} If it is not a count: the pruning loop, which ends with a small batch, would
 * not end.
 */
export function deletedCount(count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new TypeError("Cannot use the result of prune: want the number of records deleted");
}

/**
 * Checks a due time that a store returned.
 *
 * @throws {TypeError} If it is not a time: a loop would not sleep at all.
 */
export function dueTime(dueAtMs: number | null): number | null {
  if (dueAtMs === null || (typeof dueAtMs === "number" && !Number.isNaN(dueAtMs))) return dueAtMs;
  throw new TypeError("Cannot use the result of nextDueAt: want Unix milliseconds, or null");
}

/**
 * Checks the result of a pull.
 *
 * @throws {TypeError} If it is not a pull result.
 */
export function pullResult(result: PullResult): PullResult {
  if (typeof result === "object" && result !== null) {
    const { received, more, nextAtMs } = result;
    const isCount = Number.isSafeInteger(received) && received >= 0;
    const isTime = nextAtMs === null || (typeof nextAtMs === "number" && !Number.isNaN(nextAtMs));
    if (isCount && isTime && typeof more === "boolean") return result;
  }
  throw new TypeError("Cannot use the result of pull: want { received, more, nextAtMs }");
}

const ANSWERS: ReadonlySet<unknown> = new Set<CheckAnswer>([
  "committed",
  "aborted",
  "unknown",
  "unreachable",
]);

/** Checks the answer of a participant to a check-back; an invalid one counts as `unknown`. */
export function checkAnswer(answer: CheckAnswer, report: (error: unknown) => void): CheckAnswer {
  if (ANSWERS.has(answer)) return answer;
  report(
    new TypeError(`Cannot use the answer of a participant: want one of ${[...ANSWERS].join(", ")}`),
  );
  return "unknown";
}

function isDestination(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 200;
}

function isDuration(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
