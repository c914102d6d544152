/**
 * Limits how many handlers of a group run at once.
 *
 * @module
 */

/** Releases the place of one handler in its group. */
type Permit = () => void;

/** Counts the running handlers of each group; further ones wait in order. */
export class KeyedSemaphore {
  readonly #limitOf: (group: string) => number;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Creates a semaphore; `limitOf` returns how many handlers of a group may run at once. */
  constructor(limitOf: (group: string) => number) {
    this.#limitOf = limitOf;
  }

  /** How many more handlers of a group could start now; below zero when some are waiting. */
  capacityFor(group: string): number {
    const waiting = this.#waiting.get(group)?.length ?? 0;
    return this.#limitOf(group) - (this.#running.get(group) ?? 0) - waiting;
  }

  /** Waits for a place in a group. */
  async enter(group: string): Promise<Permit> {
    if (this.capacityFor(group) > 0) {
      this.#running.set(group, (this.#running.get(group) ?? 0) + 1);
    } else {
      const line = this.#waiting.get(group) ?? [];
      this.#waiting.set(group, line);
      // The handler that ends passes its place on, so the count does not change.
      await new Promise<void>((resolve) => line.push(resolve));
    }
    return () => this.#leave(group);
  }

  #leave(group: string): void {
    const next = this.#waiting.get(group)?.shift();
    if (next !== undefined) return next();
    this.#running.set(group, (this.#running.get(group) ?? 1) - 1);
  }
}
