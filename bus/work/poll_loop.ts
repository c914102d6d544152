/**
 * The background loops of a started bus. They claim work while there is capacity, and wait otherwise.
 *
 * @module
 */
import { later } from "../../core/lifecycle/retry.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { dueTime } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";
import type { Wake } from "./wake_signal.ts";
import type { WorkSource } from "./work_source.ts";

/** How often a loop looks for work by itself, in milliseconds, where it is told of new work and where not. */
const POLL_NOTIFIED_MS = 30_000;
const POLL_ALONE_MS = 1_000;
/** How long a loop rests after an error, in milliseconds: from the first in a row to the longest. */
const FIRST_REST_MS = 100;
const LONGEST_REST_MS = 30_000;
/** How long a loop rests, in milliseconds, when what is due is being claimed by another worker. */
const CONTENDED_REST_MS = 50;
/**
 * How long a loop that found some work, and no more, rests before it asks when there is more, in
 * milliseconds. Where work keeps coming, whoever brings it wakes the loop before, and the question, a
 * statement for each piece of work, is never asked.
 */
const LULL_MS = 20;
/** How often suspects are looked for while there is always fresh work: four times a lease. */
const EXPIRED_PER_LEASE = 4;

/** What a loop works with. */
export interface LoopParts {
  /** Where it claims. */
  readonly source: WorkSource;
  /** What wakes it. */
  readonly wake: Wake;
  /** How many records can be taken now. */
  capacity(): number;
  /** Takes a claimed record. */
  push(record: StoredRecord): void;
  /** Claims one suspect and takes it, to be worked on alone; false when there is none, or one is held. */
  claimExpired(): Promise<boolean>;
}

/**
 * What a loop does next: claim at once, or sleep. It sleeps until something is due, Infinity until woken, or
 * through a lull, after which it asks when that is.
 */
type Next = "at once" | { readonly untilMs: number; readonly isLull?: true };

/** How often the loops of a bus look for work that nobody told them of, in milliseconds. */
export function pollEveryMs<Tx>({ pollMs, store }: Settings<Tx>, isNotified: boolean): number {
  if (pollMs !== undefined) return pollMs;
  if (!store.capabilities.shared) return Infinity;
  return isNotified ? POLL_NOTIFIED_MS : POLL_ALONE_MS;
}

/** Runs a loop until `stopped` says so. Errors are observed, and the loop goes on after a rest. */
export async function runLoop<Tx>(
  settings: Settings<Tx>,
  parts: LoopParts,
  pollMs: number,
  stopped: () => boolean,
): Promise<void> {
  const { clock, observe, leaseMs } = settings;
  let next: Next = "at once";
  let restMs = FIRST_REST_MS;
  let expiredAtMs = 0;
  while (!stopped()) {
    try {
      if (next !== "at once") {
        const woken = await parts.wake.sleep(Math.min(next.untilMs, later(clock.now(), pollMs)));
        if (stopped()) return;
        // A poll costs one small statement as long as it finds nothing due.
        if (!woken && (next.isLull || next.untilMs > clock.now())) {
          next = await whenDue(parts, () => clock.now());
          continue;
        }
      }
      const making = parts.source.makeUnroutableDue?.() ?? null;
      if (making !== null) await making;
      next = await round(parts, () => clock.now());
      if (clock.now() >= expiredAtMs && next === "at once") {
        expiredAtMs = clock.now() + leaseMs / EXPIRED_PER_LEASE;
        await parts.claimExpired();
      }
      restMs = FIRST_REST_MS;
    } catch (error) {
      observe({ kind: "error", during: parts.source.name, error });
      await parts.wake.sleep(clock.now() + restMs);
      restMs = Math.min(restMs * 2, LONGEST_REST_MS);
      next = "at once";
    }
  }
}

/** One look for work. */
async function round(parts: LoopParts, now: () => number): Promise<Next> {
  const { source } = parts;
  const limit = Math.min(source.claimSize(), parts.capacity());
  if (limit === 0) return { untilMs: Infinity };
  const records = await source.claim("ready", limit);
  for (const record of records) parts.push(record);
  if (records.length === limit) return "at once";
  if (records.length > 0) return { untilMs: now() + LULL_MS, isLull: true };
  const next = await whenDue(parts, now);
  if (next !== "at once" || await parts.claimExpired()) return next;
  // What is due and no suspect is just being claimed by another worker.
  return { untilMs: now() + CONTENDED_REST_MS };
}

/** When the next piece of work is due, once what waits for a route that is here has been made due. */
async function whenDue({ source }: LoopParts, now: () => number): Promise<Next> {
  const dueAtMs = dueTime(await source.nextDueAt());
  if (dueAtMs === null) return { untilMs: Infinity };
  if (dueAtMs <= now()) return "at once";
  const making = source.makeUnroutableDueAgain?.(dueAtMs) ?? null;
  return making !== null && await making > 0 ? "at once" : { untilMs: dueAtMs };
}
