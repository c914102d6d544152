/**
 * How fast the pure core decides, and what that allocates.
 *
 * @module
 */
import { getHeapStatistics } from "node:v8";
import { DEFAULT_EXPIRY, DEFAULT_RETRY } from "../../../mod.ts";
import {
  type LifecycleEvent,
  nextAttemptAt,
  type Patch,
  type Standing,
  transition,
} from "../../../ports.ts";

const NOW_MS = 1_780_000_000_000;
const POLICY = { retry: DEFAULT_RETRY, expiry: DEFAULT_EXPIRY };
const EVENTS: readonly LifecycleEvent[] = [
  { kind: "succeed" },
  { kind: "fail", reason: "Error-->no", retryable: true },
  { kind: "release", delayMs: 1000 },
];
const RECORD: Standing = {
  box: "outbox",
  state: "scheduled",
  attempts: 0,
  crashes: 0,
  dueAtMs: NOW_MS,
  deadlineMs: null,
  checks: 0,
  unreachable: 0,
  details: null,
  note: null,
};
/** Calls in one go, between two looks at the clock. */
const CALLS = 3_000;

/** Decisions in a second, one `transition` and one `nextAttemptAt` counted as two. */
export function measureCore(durationMs: number): number {
  rate(durationMs / 5);
  return rate(durationMs);
}

/** What one call of each allocates, in bytes: V8's count of all it ever allocated, before and after. */
export function measureAllocation(durationMs: number): { transition: number; nextAttempt: number } {
  // The results are kept, as callers keep them: V8 would leave out an object that nobody sees. A time
  // is kept as a bare number, since a boxed one would be the list's allocation and not the call's.
  const patches = new Array<Patch | null>(CALLS).fill(null);
  const times = new Float64Array(CALLS);
  return {
    transition: bytes(durationMs, () => {
      for (let i = 0; i < CALLS; i++) patches[i] = decide(i);
    }),
    nextAttempt: bytes(durationMs, () => {
      for (let i = 0; i < CALLS; i++) times[i] = nextTime(i);
    }),
  };
}

function rate(durationMs: number): number {
  const startMs = performance.now();
  let decisions = 0;
  let sum = 0;
  while (performance.now() - startMs < durationMs) {
    for (let i = 0; i < CALLS; i++) {
      sum += decide(i).dueAtMs;
      sum += nextTime(i);
    }
    decisions += 2 * CALLS;
  }
  const elapsedMs = performance.now() - startMs;
  // The results are used, or the compiler might leave the work out.
  return sum === 0 ? 0 : decisions / elapsedMs * 1000;
}

/** The mean of many calls, compiled by then; what the loop itself allocates is far below a byte a call. */
function bytes(durationMs: number, calls: () => void): number {
  repeat(durationMs / 5, calls);
  const before = allocated();
  const times = repeat(durationMs, calls);
  return Math.round((allocated() - before) / (times * CALLS));
}

function repeat(durationMs: number, calls: () => void): number {
  const startMs = performance.now();
  let times = 0;
  for (; performance.now() - startMs < durationMs; times++) calls();
  return times;
}

function decide(i: number): Patch {
  const event = EVENTS[i % EVENTS.length] as LifecycleEvent;
  return transition(RECORD, event, POLICY, NOW_MS + i, 0.5);
}

function nextTime(i: number): number {
  return nextAttemptAt(DEFAULT_RETRY, i % 60, NOW_MS + i, 0.5) ?? 0;
}

function allocated(): number {
  const { total_allocated_bytes: bytes } = getHeapStatistics() as unknown as Record<string, number>;
  if (bytes === undefined) throw new Error("Cannot count what is allocated: this V8 does not say");
  return bytes;
}
