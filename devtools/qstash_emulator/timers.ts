/**
 * A queue of scheduled work: the earliest first, and for equal times in the order of addition.
 *
 * @module
 */

interface Entry {
  readonly atMs: number;
  readonly run: () => void;
}

/** Scheduled work, by due time. */
export class Agenda {
  /** The latest first, so that the earliest can be removed from the end. */
  readonly #entries: Entry[] = [];

  /** The due time of the earliest, in Unix milliseconds; undefined for an empty agenda. */
  get nextAtMs(): number | undefined {
    return this.#entries.at(-1)?.atMs;
  }

  /** How many there are. */
  get size(): number {
    return this.#entries.length;
  }

  /** Adds work; the returned function removes it again. */
  add(atMs: number, run: () => void): () => void {
    const entry = { atMs, run };
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#entries[middle]!.atMs <= atMs) high = middle;
      else low = middle + 1;
    }
    this.#entries.splice(low, 0, entry);
    return () => {
      const at = this.#entries.indexOf(entry);
      if (at !== -1) this.#entries.splice(at, 1);
    };
  }

  /** Removes and returns the earliest, if it is due. */
  take(nowMs: number): (() => void) | undefined {
    const next = this.nextAtMs;
    return next !== undefined && next <= nowMs ? this.#entries.pop()!.run : undefined;
  }
}
