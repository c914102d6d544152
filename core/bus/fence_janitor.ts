/**
 * Clean-up of the fence: a row may go once no half message can need it any more.
 *
 * @module
 */
import type { Fence, FenceRow } from "../ports.ts";
import type { HalfKeeper } from "./half_keeper.ts";

/** How many rows are looked at in one step. */
const BATCH = 100;

/**
 * How long a row is kept at the least, in milliseconds: a row `aborted` holds off an operation that
 * comes late, and no transaction lasts for a day.
 */
export const FENCE_RETENTION_MS = 24 * 60 * 60_000;

/**
 * Deletes rows written before `beforeMs` whose half message is decided or gone, until none is left or
 * `stop` says so. Gives back how many it deleted.
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
    const needless = await Promise.all(rows.map(async ({ id }) => {
      const status = await keeper.query(id);
      return status?.state !== "prepared" && status?.state !== "in_doubt";
    }));
    await fence.forget(rows.filter((_, i) => needless[i]).map(({ id }) => id));
    deleted += needless.filter(Boolean).length;
    if (rows.length < BATCH) break;
    after = rows.at(-1) ?? null;
  }
  return deleted;
}
