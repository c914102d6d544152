/**
 * Limits how many handlers of a group run at once.
 *
 * @module
 */

/** A place taken in a group; given back when the work is done. */
type Permit = () => void;

/** Counts what runs in each group, and lets the rest wait in line. */
export class KeyedSemaphore {
  readonly #limitOf: (group: string) => number;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Makes a limiter; `limitOf` says how many may run at once in a group. */
  constructor(limitOf: (group: string) => number) {
    this.#limitOf = limitOf;
  }

  /** How many more could start in a group now; below zero when some wait already. */
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
      // Whoever leaves hands the place over, so that the count stays as it is.
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
