/**
 * Repeats a settlement that failed, for instance because the connection was lost. Otherwise the record would keep its
 * lease until that expires, and would then count as one whose worker has crashed.
 *
 * @module
 */
import type { Settings } from "../settings/settings.ts";
import type { Decision } from "./decision.ts";
import type { LeaseRenewal } from "./lease_renewal.ts";

/** How often a settlement is tried. */
const MAX_TRIES = 9;
/** How long after the second try the third one follows, in milliseconds. Each further try doubles it. */
const PAUSE_MS = 50;

/**
 * Settles decisions under their claims, and tries again while one of them is valid. The second try follows at once;
 * further ones follow after pauses, on a bus that runs.
 *
 * @param hasLeases Whether this process renews the leases of the records.
 * @param earlierTries How often the caller has tried before.
 * @returns Which settlements applied.
 */
export async function untilSettled<Tx>(
  { store, observe }: Settings<Tx>,
  leases: LeaseRenewal,
  decisions: readonly Decision[],
  hasLeases: boolean,
  settle: () => Promise<readonly (boolean | undefined)[]>,
  earlierTries = 0,
): Promise<readonly (boolean | undefined)[]> {
  for (let tries = earlierTries + 1;; tries++) {
    try {
      if (hasLeases) { for (const { record } of decisions) leases.ending(record); }
      const applied = await settle();
      if (tries === 1) return applied;
      // The answer to an earlier try may be what was lost.
      return await Promise.all(
        decisions.map(async (decision, i) =>
          applied[i] === true || await isSettled(store, decision)
        ),
      );
    } catch (error) {
      // Their leases are renewed until the next try.
      for (const { record } of decisions) leases.continues(record);
      const mayHelp = store.hints?.failureOf?.(error) !== "refused" &&
        decisions.some(({ record }) => leases.isLeased(record));
      if (!mayHelp || tries === MAX_TRIES) throw error;
      if (tries === 1) continue;
      if (tries === 2) observe({ kind: "error", during: "settle", error });
      if (!await leases.pause(PAUSE_MS * 2 ** (tries - 2))) throw error;
    }
  }
}

async function isSettled<Tx>(
  store: Settings<Tx>["store"],
  { record: { box, id, group, epoch }, patch }: Decision,
): Promise<boolean> {
  const stored = await store.find(box, { id, group }).catch(() => null);
  return stored !== null && stored.epoch === epoch && stored.leaseUntilMs === null &&
    stored.state === patch.state && stored.attempts === patch.attempts;
}
