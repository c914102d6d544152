/**
 * The background loops of a started bus. They claim work while there is capacity, and sleep
 * otherwise.
 *
 * @module
 */
import { later } from "../../core/lifecycle/retry.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { dueTime } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";
import type { Wake } from "./wake_signal.ts";
import type { WorkSource } from "./work_source.ts";

/** How often a loop polls, in milliseconds, with and without notifications of new work. */
const POLL_NOTIFIED_MS = 30_000;
const POLL_ALONE_MS = 1_000;
/**
 * How long a loop rests after an error, in milliseconds: after the first of a series, and at most.
 */
const FIRST_REST_MS = 100;
const LONGEST_REST_MS = 30_000;
/** How long a loop rests, in milliseconds, when another worker is claiming the due records. */
const CONTENDED_REST_MS = 50;
/**
 * How long a loop that has claimed everything due waits before it asks the store for the next due
 * time, in milliseconds. While new work keeps arriving, its publisher wakes the loop sooner, and
 * the statement is saved.
 */
const LULL_MS = 20;
/**
 * How often a loop that always finds ready records also claims one that is worked on alone: four
 * times per lease.
 */
const ALONE_PER_LEASE = 4;

/** What a loop works with. */
export interface LoopParts {
  /** Where it claims records. */
  readonly source: WorkSource;
  /** What wakes it. */
  readonly wake: Wake;
  /** How many records can be taken now. */
  capacity(): number;
  /** Takes a claimed record. */
  push(record: StoredRecord): void;
  /** Runs each look for records that are due, and passes on its result. */
  look<Result>(look: () => Promise<Result>): Promise<Result>;
  /**
   * Claims one record that is to be worked on alone; false when there is none, or the last one is
   * still under way.
   */
  claimAlone(): Promise<boolean>;
}

/**
 * What a loop does next: claim at once, or sleep until `untilMs` (Infinity: until woken). After a
 * lull (see {@linkcode LULL_MS}) it asks the store for the next due time.
 */
type Next = "at once" | { readonly untilMs: number; readonly isLull?: true };

/** How often the loops of a bus poll for work they were not notified of, in milliseconds. */
export function pollEveryMs<Tx>({ pollMs, store }: Settings<Tx>, isNotified: boolean): number {
  if (pollMs !== undefined) return pollMs;
  if (!store.capabilities.shared) return Infinity;
  return isNotified ? POLL_NOTIFIED_MS : POLL_ALONE_MS;
}

/**
 * Runs a loop until `stopped` returns true. Errors are observed, and the loop continues after a
 * rest.
 */
export async function runLoop<Tx>(
  settings: Settings<Tx>,
  parts: LoopParts,
  pollMs: () => number,
  stopped: () => boolean,
): Promise<void> {
  const { clock, observe, leaseMs } = settings;
  let next: Next = "at once";
  let restMs = FIRST_REST_MS;
  let aloneAtMs = 0;
  while (!stopped()) {
    try {
      if (next !== "at once") {
        const woken = await parts.wake.sleep(Math.min(next.untilMs, later(clock.now(), pollMs())));
        if (stopped()) return;
        // A poll costs one small statement as long as it finds nothing due.
        if (!woken && (next.isLull || next.untilMs > clock.now())) {
          next = await whenDue(parts, () => clock.now());
          continue;
        }
      }
      next = await parts.look(async () => {
        const making = parts.source.makeUnroutableDue?.() ?? null;
        if (making !== null) await making;
        return await round(parts, () => clock.now());
      });
      if (clock.now() >= aloneAtMs && next === "at once") {
        aloneAtMs = clock.now() + leaseMs / ALONE_PER_LEASE;
        await parts.claimAlone();
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

/** Claims once, and returns what the loop does next. */
async function round(parts: LoopParts, now: () => number): Promise<Next> {
  const { source } = parts;
  const limit = Math.min(source.claimSize(), parts.capacity());
  if (limit === 0) return { untilMs: Infinity };
  const records = await source.claim("ready", limit);
  for (const record of records) parts.push(record);
  if (source.mayFindMore?.() ?? records.length === limit) return "at once";
  if (records.length > 0) return { untilMs: now() + LULL_MS, isLull: true };
  const next = await whenDue(parts, now);
  if (next !== "at once" || await parts.claimAlone()) return next;
  // A record is due but could not be claimed: no subscriber here takes it, or another worker is
  // claiming it.
  const untilMs = await source.claimUntaken?.(parts.push) ?? now();
  return { untilMs: Math.max(untilMs, now() + CONTENDED_REST_MS) };
}

/**
 * Makes records due that waited for a route this instance has, then returns when the next record is
 * due.
 */
async function whenDue({ source }: LoopParts, now: () => number): Promise<Next> {
  const dueAtMs = dueTime(await source.nextDueAt());
  if (dueAtMs === null) return { untilMs: Infinity };
  if (dueAtMs <= now()) return "at once";
  const making = source.makeUnroutableDueAgain?.(dueAtMs) ?? null;
  return making !== null && await making > 0 ? "at once" : { untilMs: dueAtMs };
}
