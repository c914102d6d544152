/**
 * Checks what stores, transports and participants return, where an invalid value would keep a bus busy or make
 * it confuse messages.
 *
 * @module
 */
import type { CheckAnswer } from "../../core/lifecycle/check_back.ts";
import { readFailureCode } from "../../core/lifecycle/failure_code.ts";
import { ignoreRejection } from "../../core/user_code/guard.ts";
import type { MessageHeaders } from "../../core/message/message.ts";
import type { SendResult, Transport } from "../../core/ports/transport.ts";
import type { PullResult } from "../../core/ports/pull.ts";

/**
 * What a transport gave for the message at `index`, in an object of our own; undefined for what is no result, or
 * cannot be read. What is wrong with one result must not keep the other messages of the batch unsettled.
 *
 * @param results What it gave for all of them.
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
  const { reason, retryable, retryAfterMs, arrived, code } = rest;
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
  // Only what says so is final.
  const failed = { kind, ...said, retryable: retryable !== false } as const;
  return known === undefined ? failed : { ...failed, code: known };
}

/**
 * Whether a transport has a route.
 *
 * @throws {TypeError} For what is neither true nor false, such as the promise of an asynchronous function.
 */
export function hasRoute(
  transport: Pick<Transport, "routes">,
  name: string,
  headers: MessageHeaders,
): boolean {
  const isRouted: unknown = transport.routes(name, headers);
  if (typeof isRouted === "boolean") return isRouted;
  ignoreRejection(isRouted);
  throw new TypeError("Cannot use what routes gave: want true or false");
}

/**
 * How many records a store says that it deleted.
 *
 * @throws {TypeError} For what is no count: a loop that goes on until there are few would go on for ever.
 */
export function deletedCount(count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new TypeError("Cannot use what prune gave: want how many records it deleted");
}

/**
 * When a store says that something is due.
 *
 * @throws {TypeError} For what is no time. A loop that slept until then would not sleep at all.
 */
export function dueTime(dueAtMs: number | null): number | null {
  if (dueAtMs === null || (typeof dueAtMs === "number" && !Number.isNaN(dueAtMs))) return dueAtMs;
  throw new TypeError("Cannot use what nextDueAt gave: want Unix milliseconds, or null");
}

/**
 * What came of a pull.
 *
 * @throws {TypeError} For what is no result of one.
 */
export function pullResult(result: PullResult): PullResult {
  if (typeof result === "object" && result !== null) {
    const { received, more, nextAtMs } = result;
    const isCount = Number.isSafeInteger(received) && received >= 0;
    const isTime = nextAtMs === null || (typeof nextAtMs === "number" && !Number.isNaN(nextAtMs));
    if (isCount && isTime && typeof more === "boolean") return result;
  }
  throw new TypeError("Cannot use what pull gave: want { received, more, nextAtMs }");
}

const ANSWERS: ReadonlySet<unknown> = new Set<CheckAnswer>([
  "committed",
  "aborted",
  "unknown",
  "unreachable",
]);

/** What a participant says became of an operation; `unknown` for what is no answer. */
export function checkAnswer(answer: CheckAnswer, report: (error: unknown) => void): CheckAnswer {
  if (ANSWERS.has(answer)) return answer;
  report(
    new TypeError(`Cannot use the answer of a participant: want one of ${[...ANSWERS].join(", ")}`),
  );
  return "unknown";
}

function isDuration(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
