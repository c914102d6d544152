/**
 * Half messages over HTTP: what a client asks of the service that keeps them, and what that says, as
 * both must agree on them.
 *
 * All of it is JSON of the type `application/vnd.atlast.half+json`. The operation and the id are in the
 * body, because the body is what a signature covers.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import { checkId } from "../id.ts";
import { isObject, parsed } from "../json.ts";
import { type State, TRANSITIONS } from "../lifecycle.ts";
import { END_OF_TIME_MS, later, readRetryPolicy } from "../retry.ts";
import { batchItem, messageOfItem } from "../wire.ts";
import type { HalfDraft, HalfStatus } from "./half_keeper.ts";

/** What a client asks for. */
export type HalfRequest =
  | { readonly operation: "prepare"; readonly draft: HalfDraft }
  | { readonly operation: "confirm" | "cancel" | "query"; readonly id: string };

/** A request in JSON. */
export function halfRequestText(request: HalfRequest): string {
  if (request.operation !== "prepare") {
    return JSON.stringify({ operation: request.operation, id: request.id });
  }
  const { message, deadlineMs, retry } = request.draft;
  const after = deadlineMs === null ? null : deadlineMs - message.sentAtMs;
  return `{"operation":"prepare","deadlineMs":${JSON.stringify(after)},` +
    `"retry":${JSON.stringify(retry)},"message":${batchItem(message)}}`;
}

/**
 * Reads a request. A deadline counts from when the message was sent, so that clocks need not agree.
 *
 * @param nowMs Stands in for a sending time that is missing or cannot be read.
 * @throws {AtlastError} `malformed_message`, or what else is wrong with the message.
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
      return { operation, id: readId(request["id"]) };
    default:
      throw malformed("the operation", "prepare, confirm, cancel or query");
  }
}

/** How a half message stands, in JSON. */
export function halfStatusText({ id, name, state, reason, note }: HalfStatus): string {
  return JSON.stringify({ id, name, state, reason, note });
}

/** Reads how the half message `id` stands; null for anything else. */
export function readHalfStatus(text: string, id: string): HalfStatus | null {
  const said = parsed(text);
  if (!isObject(said) || said["id"] !== id) return null;
  const { name, state, reason, note } = said;
  if (typeof name !== "string" || !isState(state)) return null;
  return { id, name, state, reason: textOrNull(reason), note: textOrNull(note) };
}

function readDraft(request: Record<string, unknown>, nowMs: number): HalfDraft {
  const { message, deadlineMs = null, retry = null } = request;
  if (!(deadlineMs === null || isDelay(deadlineMs))) {
    throw malformed("deadlineMs", "milliseconds from 0 on, or null");
  }
  const read = messageOfItem(message, nowMs);
  return {
    message: read,
    deadlineMs: deadlineMs === null ? null : later(read.sentAtMs, deadlineMs),
    retry: retry === null ? null : readRetryPolicy(retry),
  };
}

function readId(id: unknown): string {
  if (typeof id !== "string") throw malformed("the id", "text");
  checkId(id);
  return id;
}

function isDelay(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= END_OF_TIME_MS;
}

function isState(value: unknown): value is State {
  return typeof value === "string" && Object.hasOwn(TRANSITIONS.outbox, value);
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function malformed(what: string, want: string): AtlastError {
  return new AtlastError(
    "malformed_message",
    `Cannot read ${what} of a half-message request: want ${want}`,
  );
}
