/**
 * What happened in a simulation, in order: two runs of a seed have the same.
 *
 * @module
 */
import { NOW_MS } from "../support/manual_clock.ts";

/** A history, of which a digest is kept, and the lines too if wanted. */
export class Trace {
  /** All lines; null where only the digest is wanted. */
  lines: string[] | null = null;
  /** The lines that a person wants to read: faults, and what became of messages; null if nobody wants them. */
  short: string[] | null = null;
  #hash = 0x811c9dc5;

  /** A call was made. */
  note(nowMs: number, what: string): void {
    let hash = Math.imul(this.#hash ^ nowMs, 0x01000193);
    for (let i = 0; i < what.length; i++) hash = Math.imul(hash ^ what.charCodeAt(i), 0x01000193);
    this.#hash = hash;
    this.lines?.push(lineOf(nowMs, what));
  }

  /** Something happened that a person wants to read. */
  event(nowMs: number, what: string): void {
    this.note(nowMs, what);
    this.short?.push(lineOf(nowMs, what));
  }

  /** Different for different histories, but for a chance of one in four thousand million. */
  get digest(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }
}

function lineOf(nowMs: number, what: string): string {
  return `${((nowMs - NOW_MS) / 1_000).toFixed(3).padStart(8)} s  ${what}`;
}
