/**
 * Joins concurrent calls into batches: calls that come while a batch is running form the next one.
 *
 * A call that comes when none is running starts at once.
 *
 * @module
 */

/** The work and the limits of a batcher. */
interface BatcherOptions<Item, Result> {
  /** Does the work for many items, and returns results in the order of `items`. */
  readonly run: (items: Item[]) => Promise<Result[]>;
  /** The most items in one run. */
  readonly maxItems: number;
  /**
   * How many runs may be in flight at once. Runs that take longer than {@linkcode SLOW_RUN_MS} do
   * not count.
   */
  readonly maxRuns: number;
  /** The time, in milliseconds. */
  readonly now: () => number;
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
  { run, maxItems, maxRuns, now, divides = () => false }: BatcherOptions<Item, Result>,
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  /** When each run in flight began. */
  const runs = new Set<{ readonly sinceMs: number }>();
  let scheduled = false;

  /** Evaluated when a call comes; a timer for each run would cost every call. */
  function isFull(): boolean {
    if (runs.size < maxRuns) return false;
    const slowSinceMs = now() - SLOW_RUN_MS;
    let fast = 0;
    for (const { sinceMs } of runs) if (sinceMs > slowSinceMs) fast += 1;
    return fast >= maxRuns;
  }

  function pump(): void {
    scheduled = false;
    while (waiting.length > 0 && !isFull()) {
      const batch = waiting.slice(0, maxItems);
      waiting = waiting.slice(maxItems);
      const started = { sinceMs: now() };
      runs.add(started);
      settleAll(batch).finally(() => {
        runs.delete(started);
        pump();
      });
    }
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
      }
    });
}
