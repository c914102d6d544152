/**
 * Message ids: UUIDv7 for new messages, UUIDv5 for ids that must come out the same each time.
 * Layouts are those of RFC 9562.
 *
 * @module
 */
import { AtlastError } from "./errors.ts";

/** The longest id a caller may bring; long enough for any known scheme, short enough for an index. */
export const MAX_ID_LENGTH = 200;

/** How many random bytes {@linkcode uuidV7} takes. */
export const UUID_V7_RANDOM_BYTES = 8;

/** What a generator remembers, so that ids of one millisecond still sort in the order they were made. */
export interface UuidV7State {
  /** The time of the last id, in Unix milliseconds. */
  readonly timeMs: number;
  /** The last id's 12-bit counter. */
  readonly counter: number;
  /** The time as it stands in an id; kept so that it is written once for all ids of a millisecond. */
  readonly timeText?: string;
}

/** The state before the first id. */
export const FIRST_UUID_V7_STATE: UuidV7State = { timeMs: 0, counter: 0 };

/** The largest counter that fits the 12 bits after the version (`rand_a`). */
const MAX_COUNTER = 0xfff;

/**
 * The next UUIDv7: a 48-bit time, a 12-bit counter (RFC 9562, section 6.2, method 1) and 62 random
 * bits. Ids of one generator always ascend: a clock that stands still or goes back counts on, and a
 * full counter borrows the next millisecond.
 *
 * @param state What the generator remembered.
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
 * A UUIDv5 from the SHA-1 digest of a namespace and a name (RFC 9562, section 5.5). The digest is an
 * argument because hashing belongs to the platform.
 */
export function uuidV5(digest: Uint8Array): string {
  let hex = "";
  for (let i = 0; i < 16; i++) hex += hexByte(digest[i] ?? 0);
  const variant = hexByte(0x80 | ((digest[8] ?? 0) & 0x3f));
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${
    hex.slice(18, 20)
  }-${hex.slice(20)}`;
}

/**
 * Checks an id a caller brings: any printable text of 1 to {@linkcode MAX_ID_LENGTH} characters.
 *
 * @throws {AtlastError} `invalid_id` when it is not one.
 */
export function checkId(id: string): void {
  if (id.length === 0 || id.length > MAX_ID_LENGTH || !isPrintable(id)) {
    throw new AtlastError(
      "invalid_id",
      `Cannot use a message id of ${id.length} characters: want 1 to ${MAX_ID_LENGTH}, ` +
        `with no control characters`,
    );
  }
}

/** Most ids are ASCII, for which the plain expression takes a fraction of the other's time. */
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
