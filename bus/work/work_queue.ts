/**
 * A bounded queue of claimed records. It starts work on them itself, up to a limit of concurrent
 * calls.
 *
 * @module
 */

/** The limits and the work of a queue. */
interface WorkQueueOptions<Item> {
  /** How many items the queue takes, those in work included. */
  readonly capacity: () => number;
  /** How many waiting items, from the front, go to one call of `work`; at least one. */
  readonly batchOf: (waiting: readonly Item[]) => number;
  /** How many calls of `work` may run at once. */
  readonly maxRuns: number;
  /** Works on a batch of items; calls `ended` for each that has ended before the others. Must not reject. */
  readonly work: (items: Item[], ended: (item: Item) => void) => Promise<unknown>;
  /** Called whenever there is capacity again. */
  readonly onCapacity: () => void;
}

/** A bounded queue that starts work on its items. */
export class WorkQueue<Item> {
  readonly #options: WorkQueueOptions<Item>;
  #waiting: Item[] = [];
  readonly #underWay = new Set<ReadonlySet<Item>>();
  #claimed = 0;
  #open = false;
  #scheduled = false;
  #idle: (() => void)[] = [];

  constructor(options: WorkQueueOptions<Item>) {
    this.#options = options;
  }

  /** The items that are not begun. */
  get waiting(): readonly Item[] {
    return this.#waiting;
  }

  /** The items that wait or are in work. */
  get claimed(): Item[] {
    return [...this.#waiting, ...[...this.#underWay].flatMap((batch) => [...batch])];
  }

  /** Whether an item waits or is in work. */
  has(item: Item): boolean {
    return this.#waiting.includes(item) ||
      [...this.#underWay].some((batch) => batch.has(item));
  }

  /** How many more items it takes; none while it is closed. */
  capacity(): number {
    if (!this.#open) return 0;
    return Math.max(0, this.#options.capacity() - this.#waiting.length - this.#claimed);
  }

  /** Opens the queue. */
  open(): void {
    this.#open = true;
  }

  /** Takes an item, even over capacity: it is already claimed, and nobody else would work on it. */
  push(item: Item): void {
    this.#waiting.push(item);
    if (this.#scheduled) return;
    // Items pushed in one turn of the event loop form one batch.
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** Removes an item that was not begun; returns undefined when there is none. */
  takeBack(isWanted: (item: Item) => boolean): Item | undefined {
    const index = this.#waiting.findIndex(isWanted);
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  /** Closes the queue, and returns the items that were not begun. */
  close(): Item[] {
    this.#open = false;
    const left = this.#waiting;
    this.#waiting = [];
    return left;
  }

  /** Resolves when no item waits or is in work. */
  async idle(): Promise<void> {
    if (this.#isIdle() && !this.#scheduled) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    const { batchOf, maxRuns, work, onCapacity } = this.#options;
    while (this.#waiting.length > 0 && this.#underWay.size < maxRuns) {
      const batch = this.#waiting.splice(0, batchOf(this.#waiting));
      const left = new Set(batch);
      this.#underWay.add(left);
      this.#claimed += left.size;
      const ended = (item: Item) => {
        if (!left.delete(item)) return;
        this.#claimed -= 1;
        onCapacity();
      };
      work(batch, ended).finally(() => {
        this.#underWay.delete(left);
        this.#claimed -= left.size;
        this.#pump();
        onCapacity();
      });
    }
    if (this.#isIdle()) {
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  #isIdle(): boolean {
    return this.#waiting.length === 0 && this.#underWay.size === 0;
  }
}
