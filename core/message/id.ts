/**
 * Message ids: UUIDv7 (RFC 9562) for new messages, and derived ids for replies and failure callbacks. A derived
 * id is the same each time and has a form that no other id may have.
 *
 * @module
 */
import { typeName } from "../check_option.ts";
import { AtlastError } from "../errors.ts";

/** The longest id of a caller: enough for any known scheme, and short enough for an index. */
export const MAX_ID_LENGTH = 200;

/** How many random bytes {@linkcode uuidV7} takes. */
export const UUID_V7_RANDOM_BYTES = 8;

/**
 * The state of a generator, so that ids of one millisecond sort in the order in which they were
 * made.
 */
export interface UuidV7State {
  /** The time of the last id, in Unix milliseconds. */
  readonly timeMs: number;
  /** The last id's 12-bit counter. */
  readonly counter: number;
  /** The text of the time in an id, cached for all ids of a millisecond. */
  readonly timeText?: string;
}

/** The state before the first id. */
export const FIRST_UUID_V7_STATE: UuidV7State = { timeMs: 0, counter: 0 };

/** The largest counter that fits the 12 bits after the version (`rand_a`). */
const MAX_COUNTER = 0xfff;

/**
 * The next UUIDv7: a 48-bit time, a 12-bit counter (RFC 9562, section 6.2, method 1) and 62 random
 * bits. Ids of one generator always ascend: while the clock does not advance, the counter is
 * incremented, and a full counter uses the next millisecond.
 *
 * @param state The state of the generator.
 * @param nowMs Unix time in milliseconds.
 * @param random {@linkcode UUID_V7_RANDOM_BYTES} random bytes from `offset` on.
 */
export function uuidV7(
  state: UuidV7State,
  nowMs: number,
  random: Uint8Array,
  offset = 0,
): { id: string; state: UuidV7State } {
  const next = advance(state, Math.floor(nowMs));
  const at = (i: number) => hexByte(random[offset + i] ?? 0);
  const counter = hexByte(0x70 | next.counter >> 8) + hexByte(next.counter);
  const variant = hexByte(0x80 | ((random[offset] ?? 0) & 0x3f)) + at(1);
  const tail = at(2) + at(3) + at(4) + at(5) + at(6) + at(7);
  return { id: `${next.timeText}-${counter}-${variant}-${tail}`, state: next };
}

/** When a UUIDv7 was made, in Unix milliseconds; null for an id of another kind. */
export function timeOfUuidV7(id: string): number | null {
  const found = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.exec(
    id,
  );
  return found === null ? null : parseInt(`${found[1]}${found[2]}`, 16);
}

/**
 * The kind of an answer: a handler's reply, a failure callback, or a failure callback for a
 * conflict of ids on arrival.
 */
export type AnswerKind = "reply" | "failure" | "conflict";

/** What the id of an answer is derived from. The answer's headers contain all of it. */
export interface AnswerOrigin {
  /** The kind of answer. */
  readonly kind: AnswerKind;
  /** The id of the message that it answers. */
  readonly requestId: string;
  /** The service that answers. */
  readonly responder: string;
  /** The group that answers; the empty string where the publisher could not send the message. */
  readonly group: string;
  /** The round of the message, from 1 on. */
  readonly round: number;
  /**
   * For a conflict: the digest of the message, because several messages with its id may conflict.
   */
  readonly content?: string;
}

/** The prefixes of ids that a bus derives for answers. Other messages may not use them. */
const RESERVED = /^atlast-(reply|failure|conflict)-/;
/** The complete form: the hash is SHA-256 in base64url. */
const ANSWER_ID = /^atlast-(reply|failure|conflict)-[A-Za-z0-9_-]{43}$/;

/** Whether an id has the form that is reserved for answers. */
export function isReservedId(id: string): boolean {
  return id.startsWith("atlast-") && RESERVED.test(id);
}

/** The kind of answer that an id of this form belongs to; null for other ids. */
export function answerKindOf(id: string): AnswerKind | null {
  return ANSWER_ID.exec(id)?.[1] as AnswerKind | undefined ?? null;
}

/** The text whose hash is part of the id of an answer. JSON separates the parts unambiguously. */
export function answerIdSource(
  { kind, requestId, responder, group, round, content }: AnswerOrigin,
): string {
  const parts = [kind, requestId, responder, group, round];
  return JSON.stringify(content === undefined ? parts : [...parts, content]);
}

/** The id of an answer from the hash of {@linkcode answerIdSource} in base64url, without padding. */
export function answerIdOf(kind: AnswerKind, hash: string): string {
  return `atlast-${kind}-${hash}`;
}

/**
 * Checks the id of a message that a caller publishes or prepares: like {@linkcode checkId}, and
 * also that it has no prefix that is reserved for answers.
 *
 * @throws {AtlastError} `invalid_id` when it is not one.
 */
export function checkCallerId(id: string): void {
  checkId(id);
  if (!isReservedId(id)) return;
  throw new AtlastError(
    "invalid_id",
    `Cannot use a message id that begins with "${RESERVED.exec(id)?.[0]}": want another, as only ` +
      `answers that the bus itself makes have such ids`,
  );
}

/**
 * Checks an id: any printable text of 1 to {@linkcode MAX_ID_LENGTH} characters.
 *
 * @throws {AtlastError} `invalid_id` when it is not one.
 */
export function checkId(id: string): void {
  if (typeof id !== "string") {
    throw new AtlastError(
      "invalid_id",
      `Cannot use a message id of type ${typeName(id)}: want a string`,
    );
  }
  if (id.length === 0 || id.length > MAX_ID_LENGTH || !isPrintable(id)) {
    throw new AtlastError(
      "invalid_id",
      `Cannot use a message id of ${id.length} characters: want 1 to ${MAX_ID_LENGTH}, ` +
        `with no control characters`,
    );
  }
}

/**
 * The text of a whole number from JSON; any other value unchanged. Larger numbers than JSON's
 * readers keep exactly, such as 64-bit ids, are refused: different ones would become the same.
 *
 * @param what What the value is, for the error text: `header "cap-msg-id"`.
 * @throws {AtlastError} `malformed_message` for a number that is not a safe integer.
 */
export function withText(what: string, value: unknown): unknown {
  if (typeof value !== "number") return value;
  if (Number.isSafeInteger(value)) return String(value);
  throw new AtlastError(
    "malformed_message",
    `Cannot read ${what}: got a number that JSON does not carry exactly, want a safe integer; ` +
      `send ${/\bid\b/.test(what) ? "the id" : "it"} as a string`,
  );
}

/** Most ids are ASCII, for which the first expression is several times as fast. */
function isPrintable(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text) || /^[^\p{C}]+$/u.test(text);
}

function advance(state: UuidV7State, nowMs: number): Required<UuidV7State> {
  if (nowMs > state.timeMs) return stateAt(nowMs);
  const { timeMs, counter, timeText = timeTextOf(timeMs) } = state;
  return counter < MAX_COUNTER ? { timeMs, counter: counter + 1, timeText } : stateAt(timeMs + 1);
}

function stateAt(timeMs: number): Required<UuidV7State> {
  return { timeMs, counter: 0, timeText: timeTextOf(timeMs) };
}

function timeTextOf(timeMs: number): string {
  const time = timeMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}`;
}

const HEX: readonly string[] = Array.from(
  { length: 256 },
  (_, i) => i.toString(16).padStart(2, "0"),
);

function hexByte(byte: number): string {
  return HEX[byte & 0xff] ?? "00";
}
