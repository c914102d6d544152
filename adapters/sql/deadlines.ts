/**
 * Time limits of statements. Nearly every statement ends long before its limit, and a timer for each would be
 * expensive. Statements with the same limit share a timer.
 *
 * @module
 */

/** A running time limit. */
interface Deadline {
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
  readonly onPassed: () => void;
}

/** Limits of one length, so the oldest is always the first to pass. */
class Deadlines {
  readonly #timeoutMs: number;
  readonly #underWay = new Set<Deadline>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  add(onPassed: () => void): Deadline {
    const deadline = { atMs: performance.now() + this.#timeoutMs, onPassed };
    this.#underWay.add(deadline);
    this.#wait(this.#timeoutMs);
    return deadline;
  }

  remove(deadline: Deadline): void {
    this.#underWay.delete(deadline);
    if (this.#underWay.size > 0) return;
    // A remaining timer would keep the process alive.
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(ms: number): void {
    this.#timer ??= setTimeout(() => this.#pass(), ms);
  }

  #pass(): void {
    this.#timer = undefined;
    for (const deadline of this.#underWay) {
      const leftMs = deadline.atMs - performance.now();
      if (leftMs > 0) return this.#wait(Math.ceil(leftMs));
      this.#underWay.delete(deadline);
      deadline.onPassed();
    }
  }
}

const byLength = new Map<number, Deadlines>();

/**
 * Calls `onPassed` when the time is up, unless the returned function is called before.
 *
 * @param timeoutMs Use few different lengths: the state of each length is kept.
 */
export function startDeadline(timeoutMs: number, onPassed: () => void): () => void {
  let deadlines = byLength.get(timeoutMs);
  if (deadlines === undefined) byLength.set(timeoutMs, deadlines = new Deadlines(timeoutMs));
  const deadline = deadlines.add(onPassed);
  return () => deadlines.remove(deadline);
}
