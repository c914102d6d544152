/**
 * Limits how many handlers of a group run at once.
 *
 * @module
 */

/**
 * How many handlers of a group that have ended may wait for their settlements beside those that run. It bounds what is
 * done again after a crash.
 */
const MAX_SETTLING = 1_500;

/** The counts of one group. */
interface Group {
  readonly key: string;
  running: number;
  settling: number;
  /** How many handlers are expected that have no place yet. */
  expected: number;
  readonly waiting: ((permit: Permit) => void)[];
}

/** The place of one handler in its group. */
export class Permit {
  readonly #group: Group;
  readonly #leave: (group: Group) => void;
  #isRunning = true;
  #isOver = false;

  /** Creates a place that is taken; `leave` gives it to the next. */
  constructor(group: Group, leave: (group: Group) => void) {
    this.#group = group;
    this.#leave = leave;
  }

  /**
   * Called when the handler has ended and only its settlement is left: lets the next handler run, unless too many
   * settlements are under way.
   */
  ended(): void {
    if (this.#isOver || !this.#isRunning || this.#group.settling >= MAX_SETTLING) return;
    this.#isRunning = false;
    this.#group.settling += 1;
    this.#leave(this.#group);
  }

  /** Gives the place back. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#isRunning) this.#leave(this.#group);
    else this.#group.settling -= 1;
  }
}

/** Places for several handlers of a group, one after another. */
interface Line {
  /** Enters the group: at once, or when there is a place. Called again only after that. */
  next(): Permit | Promise<Permit>;
}

/** Counts the running handlers of each group; further ones wait. */
export class KeyedSemaphore {
  readonly #limitOf: (group: string) => number;
  readonly #groups = new Map<string, Group>();
  readonly #left = (group: Group) => this.#leave(group);
  #isClosed = false;

  /** Creates a semaphore; `limitOf` returns how many handlers of a group may run at once. */
  constructor(limitOf: (group: string) => number) {
    this.#limitOf = limitOf;
  }

  /** How many more handlers of a group could start now; below zero when some are waiting. */
  capacityFor(key: string): number {
    const group = this.#groups.get(key);
    return this.#limitOf(key) - (group === undefined ? 0 : group.running + group.expected);
  }

  /** Enters a group: at once, or when there is a place. */
  enter(key: string): Permit | Promise<Permit> {
    return this.line(key, 1).next();
  }

  /** Places for `count` handlers of a group. */
  line(key: string, count: number): Line {
    const group = this.#groupOf(key);
    group.expected += count;
    return { next: () => this.#next(group) };
  }

  /** Lets all in that wait or come: no handler begins any more, and what waits is to be released. */
  close(): void {
    this.#isClosed = true;
    for (const group of this.#groups.values()) {
      for (const enter of group.waiting.splice(0)) {
        group.running += 1;
        enter(this.#permit(group));
      }
    }
  }

  #next(group: Group): Permit | Promise<Permit> {
    if (this.#isClosed || group.running < this.#limitOf(group.key)) {
      group.running += 1;
      return this.#permit(group);
    }
    // The handler that ends passes its place on, so the count does not change.
    return new Promise((resolve) => group.waiting.push(resolve));
  }

  #permit(group: Group): Permit {
    group.expected -= 1;
    return new Permit(group, this.#left);
  }

  #leave(group: Group): void {
    const next = group.waiting.shift();
    if (next !== undefined) return next(this.#permit(group));
    group.running -= 1;
  }

  #groupOf(key: string): Group {
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const group: Group = { key, running: 0, settling: 0, expected: 0, waiting: [] };
    this.#groups.set(key, group);
    return group;
  }
}
