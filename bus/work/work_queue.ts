/**
 * A bounded queue of claimed records that this bus works off.
 *
 * @module
 */

/** How a queue is worked off. */
interface WorkQueueOptions<Item> {
  /** How many may be held, those under way included. */
  readonly capacity: number;
  /** How many of those waiting, from the front, go to one call of `work`; at least one. */
  readonly batchOf: (waiting: readonly Item[]) => number;
  /** How many calls of `work` may be under way at once. */
  readonly maxRuns: number;
  /** Works off some. Must not reject. */
  readonly work: (items: Item[]) => Promise<unknown>;
  /** Is told whenever there is room again. */
  readonly onCapacity: () => void;
}

/** A bounded queue that works itself off. */
export class WorkQueue<Item> {
  readonly #options: WorkQueueOptions<Item>;
  #waiting: Item[] = [];
  readonly #underWay = new Set<readonly Item[]>();
  #claimed = 0;
  #open = false;
  #scheduled = false;
  #idle: (() => void)[] = [];

  constructor(options: WorkQueueOptions<Item>) {
    this.#options = options;
  }

  /** What is held and not begun yet. */
  get waiting(): readonly Item[] {
    return this.#waiting;
  }

  /** Whether an item waits or is under way. */
  has(item: Item): boolean {
    return this.#waiting.includes(item) ||
      [...this.#underWay].some((batch) => batch.includes(item));
  }

  /** How many more it takes; none while it is closed. */
  capacity(): number {
    if (!this.#open) return 0;
    return Math.max(0, this.#options.capacity - this.#waiting.length - this.#claimed);
  }

  /** Lets items in. */
  open(): void {
    this.#open = true;
  }

  /** Takes an item, even over its capacity: it is held already, and would be lost sight of otherwise. */
  push(item: Item): void {
    this.#waiting.push(item);
    if (this.#scheduled) return;
    // What is handed over in one turn of the event loop travels together.
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** Takes one out that was not begun; undefined when there is none. */
  takeBack(isWanted: (item: Item) => boolean): Item | undefined {
    const index = this.#waiting.findIndex(isWanted);
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  /** Lets nothing more in, and gives back what was not begun. */
  close(): Item[] {
    this.#open = false;
    const left = this.#waiting;
    this.#waiting = [];
    return left;
  }

  /** Resolves when nothing is under way or waiting. */
  async idle(): Promise<void> {
    if (this.#isIdle() && !this.#scheduled) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    const { batchOf, maxRuns, work } = this.#options;
    while (this.#waiting.length > 0 && this.#underWay.size < maxRuns) {
      const batch = this.#waiting.splice(0, batchOf(this.#waiting));
      this.#underWay.add(batch);
      this.#claimed += batch.length;
      work(batch).finally(() => {
        this.#underWay.delete(batch);
        this.#claimed -= batch.length;
        this.#pump();
        this.#options.onCapacity();
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
