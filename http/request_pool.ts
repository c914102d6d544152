/**
 * Runs several requests at once, up to a limit.
 *
 * @module
 */

/**
 * The most requests in flight at once: Cloudflare Workers delay a seventh until one of six is
 * answered.
 */
const MAX_PARALLEL_REQUESTS = 6;

/** Starts work in order, a few pieces at once. */
export async function inParallel(work: readonly (() => Promise<void>)[]): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let run = work[next++]; run !== undefined; run = work[next++]) await run();
  };
  await Promise.all(Array.from({ length: MAX_PARALLEL_REQUESTS }, worker));
}
