/**
 * Makes ids: random ones for new messages, and hashes for replies and failure callbacks, whose ids must be the
 * same each time.
 *
 * @module
 */
import { HEADER } from "../../core/message/headers.ts";
import {
  answerIdOf,
  answerIdSource,
  answerKindOf,
  type AnswerOrigin,
  FIRST_UUID_V7_STATE,
  UUID_V7_RANDOM_BYTES,
  uuidV7,
} from "../../core/message/id.ts";
import type { Message } from "../../core/message/message.ts";
import { toBase64 } from "../../core/wire/base64.ts";

/** For how many ids random bytes are fetched at once. One call per id cost a fifth of a publish. */
const IDS_PER_FETCH = 256;

/** Creates a function that makes ascending ids within this bus. */
export function idSource(): (nowMs: number) => string {
  const pool = new Uint8Array(IDS_PER_FETCH * UUID_V7_RANDOM_BYTES);
  let used = pool.length;
  let state = FIRST_UUID_V7_STATE;
  return (nowMs) => {
    if (used >= pool.length) {
      crypto.getRandomValues(pool);
      used = 0;
    }
    const next = uuidV7(state, nowMs, pool, used);
    used += UUID_V7_RANDOM_BYTES;
    state = next.state;
    return next.id;
  };
}

/**
 * The id of a reply or failure callback. It is the same each time for the same origin, so that a
 * handler that runs again cannot publish its answer twice.
 */
export async function answerId(origin: AnswerOrigin): Promise<string> {
  const source = new TextEncoder().encode(answerIdSource(origin));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", source));
  const text = toBase64(hash).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
  return answerIdOf(origin.kind, text);
}

/** Whether the id of a message has the form of an answer's and was derived from the message's own headers. */
export async function isDerivedId({ id, headers }: Message): Promise<boolean> {
  const kind = answerKindOf(id);
  const requestId = headers[HEADER.correlationId];
  const responder = headers[HEADER.responder];
  const round = headers[HEADER.round] ?? "1";
  if (kind === null || requestId === undefined || responder === undefined) return false;
  if (!/^[1-9]\d{0,14}$/.test(round)) return false;
  const group = headers[HEADER.group] ?? "";
  const origin = { kind, requestId, responder, group, round: Number(round) };
  const content = kind === "conflict" ? headers[HEADER.content] : undefined;
  return id === await answerId(content === undefined ? origin : { ...origin, content });
}
