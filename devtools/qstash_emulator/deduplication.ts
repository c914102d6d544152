/**
 * Deduplication of published messages.
 *
 * @module
 */
import { sha256Hex } from "./ids.ts";
import type { MessageConfig } from "./records.ts";

/** A message that was published under a deduplication id. */
interface Published {
  readonly messageId: string;
  readonly url: string;
}

interface Entry {
  readonly untilMs: number;
  readonly published: readonly Published[];
}

/** The number of ids from which expired ones are removed. */
const PRUNE_AT = 10_000;

/** The deduplication ids of an account. */
export class Deduplication {
  readonly #entries = new Map<string, Entry>();
  readonly #windowMs: number;
  readonly #scope: "account" | "destination";
  readonly #now: () => number;
  #pruneAt = PRUNE_AT;

  /** Makes an empty memory with a window. */
  constructor(windowMs: number, scope: "account" | "destination", now: () => number) {
    this.#windowMs = windowMs;
    this.#scope = scope;
    this.#now = now;
  }

  /** The message that was published under an id within the window, or undefined. */
  find(id: string | null, destination: string): readonly Published[] | undefined {
    if (id === null) return undefined;
    const entry = this.#entries.get(this.#key(id, destination));
    return entry !== undefined && entry.untilMs > this.#now() ? entry.published : undefined;
  }

  /** Stores an id. */
  remember(id: string | null, destination: string, published: readonly Published[]): void {
    if (id === null) return;
    const nowMs = this.#now();
    if (this.#entries.size >= this.#pruneAt) {
      for (const [key, { untilMs }] of this.#entries) {
        if (untilMs <= nowMs) this.#entries.delete(key);
      }
      this.#pruneAt = Math.max(PRUNE_AT, this.#entries.size * 2);
    }
    this.#entries.set(this.#key(id, destination), { untilMs: nowMs + this.#windowMs, published });
  }

  #key(id: string, destination: string): string {
    return this.#scope === "account" ? id : `${id} ${destination}`;
  }
}

/**
 * The id of a message by its content: its destination, body, content type and forwarded headers. The colon
 * distinguishes it from the ids that publishers choose.
 */
export async function contentId(
  destination: string,
  config: MessageConfig,
  body: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const header = Object.entries(config.header).sort(([a], [b]) => a < b ? -1 : 1);
  const parts = JSON.stringify([destination, header, await sha256Hex(body)]);
  return `content:${await sha256Hex(new TextEncoder().encode(parts))}`;
}
