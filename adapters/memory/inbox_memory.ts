/**
 * The digests that the memory store keeps of messages whose records were pruned. Written when the store
 * prunes, and read when a late message arrives.
 *
 * @module
 */
import type { MemoryEntry, RememberedMessage } from "../../core/ports/inbox_memory.ts";
import type { Recollection } from "../../core/ports/inspection.ts";

interface Memory extends RememberedMessage {
  readonly arrivedAtMs: number;
}

/** The digests by their key. */
export class Memories {
  readonly #memories = new Map<string, Memory>();
  /** The arrival time of the latest message without a digest, in Unix milliseconds. */
  #prunedUntilMs = -Infinity;

  /** The digests with this key. */
  get(key: string): RememberedMessage | undefined {
    const found = this.#memories.get(key);
    if (found === undefined) return undefined;
    const { arrivedAtMs: _, ...remembered } = found;
    return remembered;
  }

  /** See `InspectionHints.recall`. */
  recall(keys: readonly string[]): Recollection {
    const prunedUntilMs = this.#prunedUntilMs === -Infinity ? null : this.#prunedUntilMs;
    const remembered = keys.map((key) => this.get(key) ?? null);
    return { remembered, prunedUntilMs, hasDigests: this.#memories.size > 0 };
  }

  /** Stores the digests of a message. */
  keep({ key, ...remembered }: MemoryEntry, arrivedAtMs: number): void {
    this.#memories.set(key, { ...remembered, arrivedAtMs });
  }

  /** Notes that a message was pruned without a digest. */
  forgot(arrivedAtMs: number): void {
    this.#prunedUntilMs = Math.max(this.#prunedUntilMs, arrivedAtMs);
  }

  /** Whether no message that arrived after this time was pruned. */
  knowsAllSince(sinceMs: number): boolean {
    return this.#prunedUntilMs <= sinceMs;
  }

  /** Deletes digests of messages that arrived before a time, at most `limit`; returns their number. */
  pruneBefore(beforeMs: number, limit: number): number {
    let deleted = 0;
    for (const [key, { arrivedAtMs }] of this.#memories) {
      if (deleted >= limit) break;
      if (arrivedAtMs >= beforeMs) continue;
      this.#memories.delete(key);
      this.forgot(arrivedAtMs);
      deleted += 1;
    }
    return deleted;
  }
}
