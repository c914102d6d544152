/**
 * Entries that this consumer has fetched and the receiver has not accepted yet. Trying them again costs no
 * command. If this process dies, other consumers take them over.
 *
 * @module
 */
import type { Message } from "../../../core/message/message.ts";
import type { Entry } from "./reading.ts";

/**
 * The number of pending entries from which no new ones are fetched: half of Upstash's limit for one consumer
 * and stream.
 */
const MAX_PENDING = 500;
/** How long one waits for its next try, in milliseconds: twice as long each time, up to the longest. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

/** An entry that could be read. */
export interface Fetched {
  readonly entry: Entry;
  readonly message: Message;
  /** How often a call with this message alone failed in this process. */
  readonly tries: number;
  /** How many entries this process had passed with success when this one first failed. */
  readonly keptBefore: number;
}

interface Waiting {
  readonly fetched: Fetched;
  readonly retryAtMs: number;
}

/** The pending entries of this consumer. */
export class PendingEntries {
  readonly #waiting = new Map<string, Waiting>();
  readonly #handing = new Set<string>();

  /** Whether there is capacity for more. */
  get hasCapacity(): boolean {
    return this.#waiting.size + this.#handing.size < MAX_PENDING;
  }

  /** Whether it is already pending. */
  has(entry: Entry): boolean {
    return this.#waiting.has(indexOfFirst(entry)) || this.#handing.has(indexOfFirst(entry));
  }

  /** Marks entries as being passed to the receiver. */
  begin(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#waiting.delete(indexOfFirst(entry));
      this.#handing.add(indexOfFirst(entry));
    }
  }

  /** Takes due entries with one of these names, for another try. */
  due(names: ReadonlySet<string>, nowMs: number): Fetched[] {
    const due = [...this.#waiting.values()]
      .filter(({ fetched, retryAtMs }) => retryAtMs <= nowMs && names.has(fetched.message.name))
      .map(({ fetched }) => fetched);
    this.begin(due.map(({ entry }) => entry));
    return due;
  }

  /** Keeps one for its next try. */
  keep(fetched: Fetched, retryAtMs: number): void {
    this.#handing.delete(indexOfFirst(fetched.entry));
    this.#waiting.set(indexOfFirst(fetched.entry), { fetched, retryAtMs });
  }

  /** Removes a finished one. */
  remove(entry: Entry): void {
    this.#handing.delete(indexOfFirst(entry));
  }

  /** When the next entry of these names is due, in Unix milliseconds; null when none is pending. */
  nextAtMs(names: ReadonlySet<string>): number | null {
    const times = [...this.#waiting.values()]
      .filter(({ fetched }) => names.has(fetched.message.name))
      .map(({ retryAtMs }) => retryAtMs);
    return times.length === 0 ? null : Math.min(...times);
  }
}

/** How long to wait after this many failed tries, in milliseconds. */
export function waitMs(tries: number): number {
  return Math.min(FIRST_WAIT_MS * 2 ** Math.max(0, tries - 1), LONGEST_WAIT_MS);
}

function indexOfFirst({ key, id }: Entry): string {
  return `${id} ${key}`;
}
