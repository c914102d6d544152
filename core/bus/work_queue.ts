/**
 * Records that this bus holds and works off, with a bound on how many.
 *
 * @module
 */

/** How a queue is worked off. */
export interface WorkQueueOptions<Item> {
  /** How many may be held, those under way included. */
  readonly capacity: number;
  /** How many go to one call of `work`. */
  readonly batchSize: number;
  /** How many calls of `work` may be under way at once. */
  readonly maxRuns: number;
  /** Works off some. Must not reject. */
  readonly work: (items: Item[]) => Promise<unknown>;
  /** Is told whenever there is room again. */
  readonly onRoom: () => void;
}

/** A bounded queue that works itself off. */
export class WorkQueue<Item> {
  readonly #options: WorkQueueOptions<Item>;
  #waiting: Item[] = [];
  readonly #underWay = new Set<Item>();
  #runs = 0;
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
  holds(item: Item): boolean {
    return this.#underWay.has(item) || this.#waiting.includes(item);
  }

  /** How many more it takes; none while it is closed. */
  room(): number {
    if (!this.#open) return 0;
    return Math.max(0, this.#options.capacity - this.#waiting.length - this.#underWay.size);
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

  /** Lets nothing more in, and gives back what was not begun. */
  close(): Item[] {
    this.#open = false;
    const left = this.#waiting;
    this.#waiting = [];
    return left;
  }

  /** Resolves when nothing is under way or waiting. */
  async idle(): Promise<void> {
    if (this.#waiting.length === 0 && this.#runs === 0 && !this.#scheduled) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    const { batchSize, maxRuns, work } = this.#options;
    while (this.#waiting.length > 0 && this.#runs < maxRuns) {
      const batch = this.#waiting.splice(0, batchSize);
      this.#runs += 1;
      for (const item of batch) this.#underWay.add(item);
      work(batch).finally(() => {
        this.#runs -= 1;
        for (const item of batch) this.#underWay.delete(item);
        this.#pump();
        this.#options.onRoom();
      });
    }
    if (this.#waiting.length === 0 && this.#runs === 0) {
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }
}
