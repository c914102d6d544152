/**
 * What happened in a simulation, in order: two runs of a seed have the same.
 *
 * @module
 */
import { NOW_MS } from "../support/manual_clock.ts";

/** A history, of which a digest is kept, and the lines too if wanted. */
export class Trace {
  /** The lines; null where only the digest is wanted. */
  lines: string[] | null = null;
  #hash = 0x811c9dc5;

  /** Something happened. */
  note(nowMs: number, what: string): void {
    const line = `${nowMs - NOW_MS} ${what}`;
    for (let i = 0; i < line.length; i++) {
      this.#hash = Math.imul(this.#hash ^ line.charCodeAt(i), 0x01000193);
    }
    this.lines?.push(line);
  }

  /** Different for different histories, but for a chance of one in four thousand million. */
  get digest(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }
}
