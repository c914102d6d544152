/**
 * Attempts that fail by chance, before a service or after it.
 *
 * @module
 */
import type { Rule } from "./front.ts";

/** How attempts fail. */
const KINDS = ["refused", "request lost", "answer lost", "error after the work"] as const;

/** A rule that fails a share of the deliveries, and counts. */
export class Faults {
  readonly #random: () => number;
  readonly #share: number;
  /** How many deliveries were attempted. */
  attempts = 0;
  /** How many of them failed, by kind. */
  readonly failed: Record<typeof KINDS[number], number> = {
    "refused": 0,
    "request lost": 0,
    "answer lost": 0,
    "error after the work": 0,
  };

  constructor(random: () => number, share: number) {
    this.#random = random;
    this.#share = share;
  }

  /** How many failed. */
  get failures(): number {
    return Object.values(this.failed).reduce((sum, count) => sum + count, 0);
  }

  /** The rule, for the fronts of the services. */
  readonly rule: Rule = async ({ path }, forward) => {
    if (!path.endsWith("/deliver")) return null;
    this.attempts += 1;
    if (this.#random() >= this.#share) return null;
    const kind = KINDS[Math.floor(this.#random() * KINDS.length)]!;
    this.failed[kind] += 1;
    if (kind === "refused") return new Response("Not now", { status: 503 });
    if (kind === "request lost") return Response.error();
    await forward();
    return kind === "answer lost" ? Response.error() : new Response("An error", { status: 500 });
  };
}
