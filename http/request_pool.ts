/**
 * Several requests at once.
 *
 * @module
 */

/** The most requests under way at once: Workers wait with a seventh until one of six has answered. */
const MAX_PARALLEL_REQUESTS = 6;

/** Runs work, a few at once, in its order. */
export async function inParallel(work: readonly (() => Promise<void>)[]): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let run = work[next++]; run !== undefined; run = work[next++]) await run();
  };
  await Promise.all(Array.from({ length: MAX_PARALLEL_REQUESTS }, worker));
}
