/**
 * What the memory store remembers of messages whose records were deleted.
 *
 * @module
 */
import type { MemoryEntry, RememberedMessage } from "../../core/ports/inbox_memory.ts";

interface Memory extends RememberedMessage {
  readonly arrivedAtMs: number;
}

/** Memories by their key. */
export class Memories {
  readonly #memories = new Map<string, Memory>();
  /** When the latest message arrived that was forgotten, in Unix milliseconds. */
  #prunedUntilMs = -Infinity;

  /** The memory with this key. */
  get(key: string): RememberedMessage | undefined {
    const found = this.#memories.get(key);
    if (found === undefined) return undefined;
    const { arrivedAtMs: _, ...remembered } = found;
    return remembered;
  }

  /** Keeps a memory of a message. */
  keep({ key, ...remembered }: MemoryEntry, arrivedAtMs: number): void {
    this.#memories.set(key, { ...remembered, arrivedAtMs });
  }

  /** Keeps that a message was forgotten. */
  forgot(arrivedAtMs: number): void {
    this.#prunedUntilMs = Math.max(this.#prunedUntilMs, arrivedAtMs);
  }

  /** Whether nothing was forgotten that arrived after this. */
  knowsAllSince(sinceMs: number): boolean {
    return this.#prunedUntilMs <= sinceMs;
  }

  /** Deletes memories of what arrived before, at most so many; gives back how many. */
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
