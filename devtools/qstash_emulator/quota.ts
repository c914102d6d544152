/**
 * Requests that are answered with 429: over the quota of a day, or on request of a test.
 *
 * @module
 */
import { DAY_MS } from "./duration.ts";
import { json, Refusal } from "./refusal.ts";

/** The three kinds of limit that QStash answers with 429. */
export type RateLimitKind = "daily" | "burst" | "chat";

/** A request over the quota of the day. */
export class OverQuota extends Refusal {
  /** The most messages in a day. */
  readonly limit: number;
  /** When the day ends, in Unix seconds. */
  readonly resetSeconds: number;

  /** Makes a refusal. */
  constructor(limit: number, resetSeconds: number) {
    super(429, "Exceeded daily rate limit");
    this.limit = limit;
    this.resetSeconds = resetSeconds;
  }
}

/** The messages that may be published in a day, by UTC. */
export class DailyQuota {
  readonly #limit: number;
  #day = -1;
  #spent = 0;

  /** Makes a quota. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Counts messages.
   *
   * @throws {OverQuota} Then none is counted.
   */
  spend(count: number, nowMs: number): void {
    const day = Math.floor(nowMs / DAY_MS);
    if (day !== this.#day) {
      this.#day = day;
      this.#spent = 0;
    }
    if (this.#spent + count > this.#limit) {
      throw new OverQuota(this.#limit, (day + 1) * DAY_MS / 1000);
    }
    this.#spent += count;
  }
}

/** An answer to a request over a limit, in the form that the official client recognises. */
export function rateLimited(kind: RateLimitKind, limit: number, resetSeconds: number): Response {
  const response = json({ error: `Exceeded ${kind} rate limit` }, 429);
  const set = (name: string, value: number) => response.headers.set(name, String(value));
  if (kind === "chat") {
    for (const what of ["requests", "tokens"]) {
      set(`x-ratelimit-limit-${what}`, limit);
      set(`x-ratelimit-remaining-${what}`, 0);
      set(`x-ratelimit-reset-${what}`, resetSeconds);
    }
    return response;
  }
  const prefix = kind === "daily" ? "RateLimit" : "Burst-RateLimit";
  set(`${prefix}-Limit`, limit);
  set(`${prefix}-Remaining`, 0);
  set(`${prefix}-Reset`, resetSeconds);
  return response;
}
