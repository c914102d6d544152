/**
 * Limits how many handlers of a group run at once.
 *
 * @module
 */

/**
 * How many handlers of a group that have ended may wait for their settlements beside those that run. It bounds what is
 * done again after a crash.
 */
const MAX_SETTLING = 1_000;

/** The place of one handler in its group. */
export interface Permit {
  /**
   * Called when the handler has ended and only its settlement is left: lets the next handler run, unless too many
   * settlements are under way.
   */
  ended(): void;
  /** Gives the place back. */
  leave(): void;
}

/** Counts the running handlers of each group; further ones wait in order. */
export class KeyedSemaphore {
  readonly #limitOf: (group: string) => number;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, ((permit: Permit) => void)[]>();
  readonly #settling = new Map<string, number>();

  /** Creates a semaphore; `limitOf` returns how many handlers of a group may run at once. */
  constructor(limitOf: (group: string) => number) {
    this.#limitOf = limitOf;
  }

  /** How many more handlers of a group could start now; below zero when some are waiting. */
  capacityFor(group: string): number {
    const waiting = this.#waiting.get(group)?.length ?? 0;
    return this.#limitOf(group) - (this.#running.get(group) ?? 0) - waiting;
  }

  /** Enters a group: at once, or when there is a place. */
  enter(group: string): Permit | Promise<Permit> {
    if (this.capacityFor(group) > 0) {
      this.#running.set(group, (this.#running.get(group) ?? 0) + 1);
      return this.#permit(group);
    }
    const line = this.#waiting.get(group) ?? [];
    this.#waiting.set(group, line);
    // The handler that ends passes its place on, so the count does not change.
    return new Promise((resolve) => line.push(resolve));
  }

  #permit(group: string): Permit {
    let isRunning = true;
    return {
      ended: () => {
        const settling = this.#settling.get(group) ?? 0;
        if (!isRunning || settling >= MAX_SETTLING) return;
        isRunning = false;
        this.#settling.set(group, settling + 1);
        this.#leave(group);
      },
      leave: () => {
        if (isRunning) this.#leave(group);
        else this.#settling.set(group, (this.#settling.get(group) ?? 1) - 1);
      },
    };
  }

  #leave(group: string): void {
    const next = this.#waiting.get(group)?.shift();
    if (next !== undefined) return next(this.#permit(group));
    this.#running.set(group, (this.#running.get(group) ?? 1) - 1);
  }
}
