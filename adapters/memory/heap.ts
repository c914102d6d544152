/**
 * A binary heap whose entries know their position, so that any of them can be removed.
 *
 * @module
 */

/** An entry of a heap. */
export interface HeapEntry {
  /** The time that orders the heap, in Unix milliseconds. */
  atMs: number;
  /** Decides between entries of the same time; no two entries have the same. */
  readonly sequence: number;
  /** Its position in its heap; the heap updates it. */
  index: number;
}

/** Whether `a` comes out before `b`. */
export function isBefore(a: HeapEntry, b: HeapEntry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}

/** Entries with fast access to the earliest. Adding and removing cost the logarithm of the size. */
export class Heap<Entry extends HeapEntry> {
  readonly #entries: Entry[] = [];

  /** The earliest entry. */
  get first(): Entry | undefined {
    return this.#entries[0];
  }

  /** Adds an entry that is in no heap. */
  add(entry: Entry): void {
    this.#put(entry, this.#entries.length);
    this.#rise(entry);
  }

  /** Takes out an entry that is in this heap. */
  remove(entry: Entry): void {
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#put(last, entry.index);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry): void {
    while (entry.index > 0) {
      const parent = this.#entries[(entry.index - 1) >> 1] as Entry;
      if (!isBefore(entry, parent)) return;
      this.#swap(parent, entry);
    }
  }

  #sink(entry: Entry): void {
    while (true) {
      const left = this.#entries[2 * entry.index + 1];
      const right = this.#entries[2 * entry.index + 2];
      const child = right !== undefined && left !== undefined && isBefore(right, left)
        ? right
        : left;
      if (child === undefined || !isBefore(child, entry)) return;
      this.#swap(entry, child);
    }
  }

  #swap(above: Entry, below: Entry): void {
    const index = above.index;
    this.#put(above, below.index);
    this.#put(below, index);
  }

  #put(entry: Entry, index: number): void {
    this.#entries[index] = entry;
    entry.index = index;
  }
}
