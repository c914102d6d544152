/**
 * How far the processes of a measurement are, from what they say; and the rate that follows from it.
 *
 * @module
 */
import type { Report } from "../workers/protocol.ts";

type Told = Pick<Extract<Report, { kind: "handled" }>, "handled" | "settled" | "atMs" | "cpuMs">;

/** Where a measurement begins: what had been done by then. */
export interface Start {
  /** In milliseconds of the wall clock. */
  readonly atMs: number;
  readonly handled: number;
  /** The processes' own processor time, in milliseconds. */
  readonly cpuMs: number;
}

/** What several processes have done together. */
export class Progress {
  readonly #warmUp: number;
  readonly #told: Told[];
  #latestMs = 0;
  #start: Start | null = null;

  /** @param warmUp How many messages are handled before the measurement begins. */
  constructor(processes: number, warmUp: number) {
    this.#warmUp = warmUp;
    this.#told = Array.from(
      { length: processes },
      () => ({ handled: 0, settled: 0, atMs: 0, cpuMs: 0 }),
    );
  }

  /** The processes were given the word. */
  begin(atMs: number): void {
    this.#latestMs = atMs;
    if (this.#warmUp === 0) this.#start = { atMs, handled: 0, cpuMs: 0 };
  }

  /** A process says how far it is. */
  hear(process: number, told: Told): void {
    this.#told[process] = told;
    this.#latestMs = Math.max(this.#latestMs, told.atMs);
    if (this.#start !== null || this.handled < this.#warmUp) return;
    this.#start = { atMs: told.atMs, handled: this.handled, cpuMs: this.cpuMs };
  }

  /** Where the warm-up ended; null while it goes on. */
  get start(): Start | null {
    return this.#start;
  }

  get handled(): number {
    return this.#sum(({ handled }) => handled);
  }

  /** How many are settled; null when the processes do not know. */
  get settled(): number | null {
    return this.#told.some(({ settled }) => settled === null)
      ? null
      : this.#sum(({ settled }) => settled ?? 0);
  }

  get cpuMs(): number {
    return this.#sum(({ cpuMs }) => cpuMs);
  }

  /** When it last went on, in milliseconds of the wall clock. */
  get latestMs(): number {
    return this.#latestMs;
  }

  #sum(of: (told: Told) => number): number {
    return this.#told.reduce((sum, told) => sum + of(told), 0);
  }
}

/** Messages a second from a start until all of `total` were settled at `endMs`. */
export function rateFrom(start: Start, total: number, endMs: number): number {
  return (total - start.handled) / (endMs - start.atMs) * 1000;
}
