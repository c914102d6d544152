/**
 * Joins calls that come while one is under way into the next one, as a database joins commits.
 *
 * A lone call goes at once: nothing waits for company.
 *
 * @module
 */

/** How calls are joined. */
export interface JoinerOptions<Item, Result> {
  /** Does the work for many items; results are in the order of `items`. */
  readonly run: (items: Item[]) => Promise<Result[]>;
  /** How many items go in one run at the most. */
  readonly maxItems: number;
  /** How many runs may be under way at once. */
  readonly maxRuns: number;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** Makes a function that does for one item what `run` does for many. */
export function joiner<Item, Result>(
  { run, maxItems, maxRuns }: JoinerOptions<Item, Result>,
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let runs = 0;
  let scheduled = false;

  function pump(): void {
    scheduled = false;
    while (waiting.length > 0 && runs < maxRuns) {
      const batch = waiting.slice(0, maxItems);
      waiting = waiting.slice(maxItems);
      runs += 1;
      runAll(batch.map(({ item }) => item)).then(
        (results) => batch.forEach(({ resolve }, i) => resolve(results[i] as Result)),
        (error) => batch.forEach(({ reject }) => reject(error)),
      ).finally(() => {
        runs -= 1;
        pump();
      });
    }
  }

  /** Rejects for what is no result for each: those who wait would take it for one, or wait for ever. */
  async function runAll(items: Item[]): Promise<Result[]> {
    const results: unknown = await run(items);
    if (Array.isArray(results) && results.length === items.length) return results;
    throw new TypeError(`Cannot use what a store gave: want ${items.length} results`);
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // Calls made in one turn of the event loop travel together; a microtask costs a lone one nothing.
      if (!scheduled && runs < maxRuns) {
        scheduled = true;
        queueMicrotask(pump);
      }
    });
}
