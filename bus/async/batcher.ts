/**
 * Joins concurrent calls into batches: calls that come while a batch is running form the next one.
 *
 * A call that comes when none is running starts at once.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";

/** The work and the limits of a batcher. */
interface BatcherOptions<Item, Result> {
  /** Does the work for many items, and returns results in the order of `items`. */
  readonly run: (items: Item[]) => Promise<Result[]>;
  /** The most items in one run. */
  readonly maxItems: number;
  /**
   * How many runs may be in flight at once. Runs that take longer than `slowMs` do not count.
   */
  readonly maxRuns: number;
  /**
   * After how long a run is slow, in milliseconds.
   *
   * @default SLOW_RUN_MS
   */
  readonly slowMs?: number;
  /**
   * Whether each item has a run of its own while a run is slow: one that may have to wait for something keeps no other
   * waiting.
   *
   * @default false
   */
  readonly apartWhenSlow?: boolean;
  /**
   * How many calls must wait for a run to begin beside another: fewer wait until that has ended, so that a few do not take
   * up a run that many could share.
   *
   * @default 1
   */
  readonly leastBeside?: number;
  /** The clock. */
  readonly clock: Pick<Clock, "now" | "after">;
  /**
   * Whether a run that failed with this error did nothing, and may succeed for some of its items: then each item has a
   * run of its own.
   *
   * @default never
   */
  readonly divides?: (error: unknown) => boolean;
}

/**
 * After how long a run no longer counts towards the limit, in milliseconds: its connection may
 * never answer.
 */
export const SLOW_RUN_MS = 1_000;

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Creates a function that does for one item what `run` does for many. */
export function batcher<Item, Result>(
  {
    run,
    maxItems,
    maxRuns,
    slowMs = SLOW_RUN_MS,
    apartWhenSlow = false,
    leastBeside = 1,
    clock,
    divides = () => false,
  }: BatcherOptions<Item, Result>,
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  /** When each run in flight began. */
  const runs = new Set<{ readonly sinceMs: number }>();
  let scheduled = false;
  let cancel: (() => void) | null = null;

  /** Evaluated when a call comes; a timer for each run would cost every call. */
  function isFull(): boolean {
    const areEnough = runs.size === 0 || waiting.length >= leastBeside;
    if (areEnough && runs.size < maxRuns) return false;
    const fast = countFast();
    return fast >= maxRuns || (fast > 0 && waiting.length < leastBeside);
  }

  function countFast(): number {
    const slowSinceMs = clock.now() - slowMs;
    let fast = 0;
    for (const { sinceMs } of runs) if (sinceMs > slowSinceMs) fast += 1;
    return fast;
  }

  function pump(): void {
    scheduled = false;
    cancel?.();
    cancel = null;
    while (waiting.length > 0 && !isFull()) {
      const size = apartWhenSlow && runs.size > 0 && countFast() < runs.size ? 1 : maxItems;
      const batch = waiting.slice(0, size);
      waiting = waiting.slice(size);
      const started = { sinceMs: clock.now() };
      runs.add(started);
      settleAll(batch).finally(() => {
        runs.delete(started);
        pump();
      });
    }
    wakeWhenSlow();
  }

  /** Calls that wait go on when a run has become slow, and not only when one ends: it may never do. */
  function wakeWhenSlow(): void {
    if (waiting.length > 0 && cancel === null) cancel = clock.after(slowMs, pump);
  }

  /** Runs a batch, and settles its calls. */
  async function settleAll(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await runAll(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, i) => resolve(results[i] as Result));
    } catch (error) {
      if (batch.length > 1 && divides(error)) {
        await Promise.all(batch.map((one) => settleAll([one])));
      } else batch.forEach(({ reject }) => reject(error));
    }
  }

  /**
   * Rejects unless there is one result for each item. Otherwise a caller would get another's
   * result, or wait for ever.
   */
  async function runAll(items: Item[]): Promise<Result[]> {
    const results: unknown = await run(items);
    if (Array.isArray(results) && results.length === items.length) return results;
    throw new TypeError(`Cannot use what a store gave: want ${items.length} results`);
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // Calls made in one turn of the event loop form one batch. The microtask does not delay a
      // single call.
      if (!scheduled && !isFull()) {
        scheduled = true;
        queueMicrotask(pump);
      } else if (!scheduled) wakeWhenSlow();
    });
}
