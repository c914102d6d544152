/**
 * What is to be done when: the earliest first, and of the same time in the order it was added.
 *
 * @module
 */

interface Entry {
  readonly atMs: number;
  readonly run: () => void;
}

/** Things to do, by the time they are due. */
export class Agenda {
  /** The latest first, so that the earliest is taken off the end. */
  readonly #entries: Entry[] = [];

  /** When the earliest is due, in Unix milliseconds; undefined for an empty agenda. */
  get nextAtMs(): number | undefined {
    return this.#entries.at(-1)?.atMs;
  }

  /** How many there are. */
  get size(): number {
    return this.#entries.length;
  }

  /** Adds what is to be done; the returned function takes it off again. */
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

  /** Takes the earliest off, if it is due. */
  take(nowMs: number): (() => void) | undefined {
    const next = this.nextAtMs;
    return next !== undefined && next <= nowMs ? this.#entries.pop()!.run : undefined;
  }
}
