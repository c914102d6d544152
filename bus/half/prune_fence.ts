/**
 * Prunes the fence. A row may be deleted when its half message is decided or gone. Pruning of the
 * bus calls this.
 *
 * @module
 */
import { isUndecided } from "../../core/lifecycle/check_back.ts";
import type { Fence, FenceRow } from "../../core/ports/fence.ts";
import type { HalfKeeper } from "../../core/ports/half_keeper.ts";

/** How many rows are read at once. */
const BATCH = 100;

/**
 * How many queries run at once: Cloudflare Workers open at most 6 connections to a keeper over
 * HTTP.
 */
const MAX_CONCURRENT_QUERIES = 6;

/**
 * The least time a row is kept, in milliseconds. A row `aborted` must outlive a late operation, and
 * no transaction lasts a day.
 */
export const FENCE_RETENTION_MS = 24 * 60 * 60_000;

/**
 * Deletes rows written before `beforeMs` whose half message is decided or gone, until none is left
 * or `stop` returns true. Returns how many were deleted.
 */
export async function pruneFence(
  fence: Fence,
  keeper: Pick<HalfKeeper, "query">,
  beforeMs: number,
  stop: () => boolean = () => false,
): Promise<number> {
  let deleted = 0;
  let after: FenceRow | null = null;
  while (!stop()) {
    const rows: FenceRow[] = await fence.writtenBefore(beforeMs, after, BATCH);
    const needless: string[] = [];
    for (let i = 0; i < rows.length; i += MAX_CONCURRENT_QUERIES) {
      const queried = rows.slice(i, i + MAX_CONCURRENT_QUERIES).map(({ id }) => id);
      const statuses = await Promise.all(queried.map((id) => keeper.query(id)));
      needless.push(...queried.filter((_, n) => {
        const status = statuses[n] ?? null;
        return status === null || !isUndecided(status.state);
      }));
    }
    await fence.prune(needless);
    deleted += needless.length;
    if (rows.length < BATCH) break;
    after = rows.at(-1) ?? null;
  }
  return deleted;
}
