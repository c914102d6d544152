/**
 * Deletes expired records in bounded batches. A running bus prunes in a loop; otherwise each tick
 * prunes when it is time.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import { deletedCount } from "../settings/check_answers.ts";
import { FENCE_RETENTION_MS, pruneFence } from "../half/prune_fence.ts";
import type { HalfKeeper } from "../../core/ports/half_keeper.ts";
import type { Settings } from "../settings/settings.ts";
import { rememberingOf } from "../settings/retention.ts";
import type { Wake } from "./wake_signal.ts";

/** How many records one statement deletes. A larger batch would hold its locks for longer. */
const BATCH = 1000;

/**
 * How long pruning pauses after a full batch, as a multiple of the time the batch took, and the
 * longest pause, in milliseconds. With a multiple of 9, pruning cost publishers 11 % of their
 * throughput.
 */
const REST_PER_BATCH = 14;
const LONGEST_REST_MS = 1_000;

const BOXES: readonly Box[] = ["outbox", "inbox"];

/** Deletes expired messages, at most once per period. */
export class Pruner<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #halfMessages: HalfKeeper;
  #nextMs = 0;

  constructor(settings: Settings<Tx>, halfMessages: HalfKeeper) {
    this.#settings = settings;
    this.#halfMessages = halfMessages;
  }

  /** When the next pruning is due, in Unix milliseconds. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /**
   * Prunes if it is time, until nothing is left to delete, `untilMs` has come or `stopped` returns
   * true. The next call deletes the rest. Returns how many records were deleted.
   */
  async run(untilMs: number, stopped: () => boolean = () => false): Promise<number> {
    const { clock, pruneEveryMs } = this.#settings;
    if (clock.now() < this.#nextMs) return 0;
    const isOver = () => clock.now() >= untilMs || stopped();
    let pruned = 0;
    for (const box of BOXES) pruned += await this.#prune(box, untilMs, isOver);
    await this.#pruneFence(isOver);
    if (!isOver()) this.#nextMs = clock.now() + pruneEveryMs;
    return pruned;
  }

  async #prune(box: Box, untilMs: number, isOver: () => boolean): Promise<number> {
    const { store, clock, observe, memory } = this.#settings;
    let count = 0;
    while (!isOver()) {
      const startMs = clock.now();
      const remembering = box === "inbox" ? rememberingOf(memory, startMs) : undefined;
      const deleted = deletedCount(
        await (remembering === undefined
          ? store.prune(box, startMs, BATCH)
          : store.prune(box, startMs, BATCH, remembering)),
      );
      count += deleted;
      if (deleted < BATCH) break;
      const restMs = Math.min((clock.now() - startMs) * REST_PER_BATCH, LONGEST_REST_MS);
      await this.#rest(Math.min(restMs, untilMs - clock.now()));
    }
    if (count > 0) observe({ kind: "pruned", box, count });
    return count;
  }

  async #rest(restMs: number): Promise<void> {
    if (restMs <= 0) return;
    await new Promise<void>((resolve) => this.#settings.clock.after(restMs, resolve));
  }

  async #pruneFence(isOver: () => boolean): Promise<void> {
    const { fence, clock } = this.#settings;
    if (fence === undefined) return;
    const beforeMs = clock.now() - FENCE_RETENTION_MS;
    await pruneFence(fence, this.#halfMessages, beforeMs, isOver);
  }
}

/** Failed pruning is tried again after the period divided by this number. */
const RETRIES_PER_PERIOD = 60;

/** Prunes in a loop until `stopped` returns true and the loop is woken. Never rejects. */
export async function pruneRegularly<Tx>(
  settings: Settings<Tx>,
  pruner: Pruner<Tx>,
  wake: Wake,
  stopped: () => boolean,
): Promise<void> {
  const { clock, observe, pruneEveryMs } = settings;
  while (!stopped()) {
    try {
      await pruner.run(Infinity, stopped);
    } catch (error) {
      observe({ kind: "error", during: "prune", error });
    }
    if (stopped()) return;
    const retryAtMs = clock.now() + pruneEveryMs / RETRIES_PER_PERIOD;
    await wake.sleep(Math.max(pruner.nextMs, retryAtMs));
  }
}
