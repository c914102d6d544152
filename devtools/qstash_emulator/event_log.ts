/**
 * The events of messages, newest first.
 *
 * @module
 */
import type { EventRecord, MessageRecord } from "./records.ts";
import { INVALID_CURSOR, Refusal } from "./refusal.ts";

/** The most events kept: each holds its message with its body, and an emulator may run for days. */
const MAX_EVENTS = 20_000;

/** How many cursor steps there are in a millisecond. */
const STEPS = 1_000_000n;

/** The events of an account. */
export class EventLog {
  #events: EventRecord[] = [];
  #sequence = 0;
  readonly #retentionMs: number;

  /** Makes a log that deletes events after a time. */
  constructor(retentionMs: number) {
    this.#retentionMs = retentionMs;
  }

  /** Adds an event of a message. */
  add(event: Omit<EventRecord, "sequence">): EventRecord {
    const record = { ...event, sequence: ++this.#sequence };
    this.#events.push(record);
    if (this.#events.length > MAX_EVENTS * 1.1) this.#events = this.#events.slice(-MAX_EVENTS);
    return record;
  }

  /**
   * The events that match, newest first, and the cursor of the next page if there is one.
   *
   * @throws {Refusal} 400 for a cursor that is none.
   */
  page(
    matches: (event: EventRecord) => boolean,
    count: number,
    cursor: string | null,
    nowMs: number,
  ): { events: EventRecord[]; cursor?: string } {
    const before = cursor === null ? null : readCursor(cursor);
    const found: EventRecord[] = [];
    for (let i = this.#events.length - 1; i >= 0 && found.length <= count; i--) {
      const event = this.#events[i]!;
      if (event.timeMs < nowMs - this.#retentionMs) break;
      if ((before === null || position(event) < before) && matches(event)) found.push(event);
    }
    if (found.length <= count) return { events: found };
    const events = found.slice(0, count);
    return { events, cursor: String(position(events.at(-1)!)) };
  }

  /** The latest event of a message; undefined for none. */
  latestOf(message: MessageRecord): EventRecord | undefined {
    return this.#events.findLast((event) => event.message === message);
  }
}

/** The position of an event: its time, and its number among those of the same time. */
function position({ timeMs, sequence }: EventRecord): bigint {
  return BigInt(timeMs) * STEPS + BigInt(sequence) % STEPS;
}

/** A cursor of the emulator, or a time in Unix milliseconds, with which the client's documentation begins. */
function readCursor(text: string): bigint {
  if (!/^\d{1,24}$/.test(text)) throw new Refusal(400, INVALID_CURSOR);
  const number = BigInt(text);
  return number < 10n ** 15n ? number * STEPS : number;
}
