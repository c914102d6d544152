/**
 * Half messages over HTTP: encodes and reads the requests of a participant and the answers of the
 * keeper.
 *
 * All of it is JSON of the type `application/vnd.atlast.half+json`. The operation and the id are in the
 * body, because the body is what a signature covers.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import { checkForeignRetry } from "../lifecycle/foreign_retry.ts";
import { checkId, withText } from "../message/id.ts";
import { isObject, parsed } from "../json.ts";
import { type State, TRANSITIONS } from "../lifecycle/lifecycle.ts";
import { END_OF_TIME_MS, later, readRetryPolicy } from "../lifecycle/retry.ts";
import { batchItem, messageOfItem } from "./wire.ts";
import type { HalfDraft, HalfStatus } from "../ports/half_keeper.ts";

/** A request of a participant. */
export type HalfRequest =
  | { readonly operation: "prepare"; readonly draft: HalfDraft }
  | {
    readonly operation: "confirm" | "cancel" | "query";
    readonly id: string;
    /** The participant that prepared the half message. */
    readonly participant: string;
  };

/** A request in JSON. */
export function halfRequestText(request: HalfRequest): string {
  if (request.operation !== "prepare") {
    const { operation, id, participant } = request;
    return JSON.stringify({ operation, id, participant });
  }
  const { message, deadlineMs, retry } = request.draft;
  const after = deadlineMs === null ? null : deadlineMs - message.sentAtMs;
  return `{"operation":"prepare","deadlineMs":${JSON.stringify(after)},` +
    `"retry":${JSON.stringify(retry)},"message":${batchItem(message)}}`;
}

/**
 * Reads a request. A deadline counts from the sending time of the message, so that clocks need not
 * agree.
 *
 * @param nowMs Used as sending time if that is missing or invalid.
 * @throws {AtlastError} `malformed_message`, or the error of an invalid message.
 */
export function readHalfRequest(text: string, nowMs: number): HalfRequest {
  const request = parsed(text);
  if (!isObject(request)) throw malformed("the body", "a JSON object");
  const { operation } = request;
  switch (operation) {
    case "prepare":
      return { operation, draft: readDraft(request, nowMs) };
    case "confirm":
    case "cancel":
    case "query":
      return {
        operation,
        id: readId(request["id"]),
        participant: readParticipant(request["participant"]),
      };
    default:
      throw malformed("the operation", "prepare, confirm, cancel or query");
  }
}

/**
 * The status of a half message, in JSON. Reason and note are not included: they may contain a
 * receiver's answer or an operator's text.
 *
 * @param refusal Why a `prepare` is refused that finds the message decided.
 */
export function halfStatusText(
  { id, name, state }: HalfStatus,
  refusal: { readonly code: string; readonly message: string } | null = null,
): string {
  if (refusal === null) return JSON.stringify({ id, name, state });
  const { code, message } = refusal;
  return JSON.stringify({ id, name, state, error: { code, message } });
}

/** Reads the status of the half message `id`; null for any other text. */
export function readHalfStatus(text: string, id: string): HalfStatus | null {
  const said = parsed(text);
  if (!isObject(said) || said["id"] !== id) return null;
  const { name, state } = said;
  if (typeof name !== "string" || !isState(state)) return null;
  return { id, name, state, reason: null, note: null };
}

function readDraft(request: Record<string, unknown>, nowMs: number): HalfDraft {
  const { message, deadlineMs = null, retry = null } = request;
  if (!(deadlineMs === null || isDelay(deadlineMs))) {
    throw malformed("deadlineMs", "milliseconds from 0 on, or null");
  }
  const read = messageOfItem(message, nowMs);
  const policy = retry === null ? null : readRetryPolicy(retry);
  if (policy !== null) checkForeignRetry(policy);
  return {
    message: read,
    deadlineMs: deadlineMs === null ? null : later(read.sentAtMs, deadlineMs),
    retry: policy,
  };
}

function readId(value: unknown): string {
  const id = withText("the id of a half-message request", value);
  if (typeof id !== "string") throw malformed("the id", "text");
  checkId(id);
  return id;
}

function readParticipant(participant: unknown): string {
  if (typeof participant === "string" && participant !== "") return participant;
  throw malformed("the participant", "the name that the half message was prepared under");
}

function isDelay(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= END_OF_TIME_MS;
}

function isState(value: unknown): value is State {
  return typeof value === "string" && Object.hasOwn(TRANSITIONS.outbox, value);
}

function malformed(what: string, want: string): AtlastError {
  return new AtlastError(
    "malformed_message",
    `Cannot read ${what} of a half-message request: want ${want}`,
  );
}
