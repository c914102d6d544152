/**
 * One timer for the time limits of many pieces of work. On Deno a timer costs more than a small handler.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";

/** The end of a time limit. */
interface Deadline {
  /** When the time is up, as {@linkcode Deadlines.nowMs} counts. */
  readonly untilMs: number;
  /** Called when the time is up. */
  timeIsUp(): void;
}

const ofClock = new WeakMap<Clock, Deadlines>();

/** The deadlines of all work that one clock limits. */
export function deadlinesOf(clock: Clock): Deadlines {
  let deadlines = ofClock.get(clock);
  if (deadlines === undefined) ofClock.set(clock, deadlines = new Deadlines(clock));
  return deadlines;
}

/** Deadlines with one timer, which is set for the earliest. */
class Deadlines {
  readonly #clock: Clock;
  readonly #all = new Set<Deadline>();
  #armedFor: Deadline | null = null;
  #armedUntilMs = Infinity;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The time, in milliseconds, that no correction of the clock changes if the clock has such a time. */
  nowMs(): number {
    return this.#clock.monotonic?.() ?? this.#clock.now();
  }

  /** Calls `timeIsUp` when the deadline is over, unless it is removed before. */
  add(deadline: Deadline, nowMs: number): void {
    this.#all.add(deadline);
    if (this.#cancel === null || deadline.untilMs < this.#armedUntilMs) this.#arm(deadline, nowMs);
  }

  /** Removes a deadline. The timer stays for the others, so the last one cancels it. */
  remove(deadline: Deadline): void {
    if (this.#all.delete(deadline) && this.#all.size === 0) this.#disarm();
  }

  #arm(first: Deadline, nowMs: number): void {
    this.#disarm();
    this.#armedFor = first;
    this.#armedUntilMs = first.untilMs;
    this.#cancel = this.#clock.after(Math.max(0, first.untilMs - nowMs), () => this.#ring());
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#armedFor = null;
    this.#armedUntilMs = Infinity;
  }

  #ring(): void {
    const [first, firstUntilMs] = [this.#armedFor, this.#armedUntilMs];
    this.#cancel = null;
    this.#disarm();
    const nowMs = this.nowMs();
    const due: Deadline[] = [];
    let next: Deadline | null = null;
    for (const deadline of this.#all) {
      const { untilMs } = deadline;
      // What the timer was set for is due, whatever the clock says now.
      const isDue = untilMs <= nowMs || (deadline === first && untilMs === firstUntilMs);
      if (isDue) due.push(deadline);
      else if (next === null || untilMs < next.untilMs) next = deadline;
    }
    for (const deadline of due) this.#all.delete(deadline);
    if (next !== null) this.#arm(next, nowMs);
    for (const deadline of due) deadline.timeIsUp();
  }
}
