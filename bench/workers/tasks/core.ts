/**
 * The tasks that measure the pure core: how many decisions it makes, and how much memory one allocates.
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
/** How many calls are made before the clock is read again. */
const CALLS = 3_000;

/** Measures decisions a second. A call of `transition` and one of `nextAttemptAt` count as two. */
export function measureDecisionRate(durationMs: number): number {
  measureRate(durationMs / 5);
  return measureRate(durationMs);
}

/** Measures the bytes that one call of each allocates, from V8's count of all bytes it ever allocated. */
export function measureAllocation(durationMs: number): { transition: number; nextAttempt: number } {
  // The results are kept: V8 optimizes objects away that nothing uses. Times are kept in a typed array,
  // because in a plain one the array would allocate a boxed number for each.
  const patches = new Array<Patch | null>(CALLS).fill(null);
  const times = new Float64Array(CALLS);
  return {
    transition: bytesPerCall(durationMs, () => {
      for (let i = 0; i < CALLS; i++) patches[i] = decide(i);
    }),
    nextAttempt: bytesPerCall(durationMs, () => {
      for (let i = 0; i < CALLS; i++) times[i] = nextTime(i);
    }),
  };
}

function measureRate(durationMs: number): number {
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
  // The results are used, or the compiler might optimize the calls away.
  return sum === 0 ? 0 : decisions / elapsedMs * 1000;
}

/** The mean over many compiled calls. The loop itself allocates far less than a byte for each. */
function bytesPerCall(durationMs: number, callMany: () => void): number {
  repeat(durationMs / 5, callMany);
  const before = allocatedBytes();
  const times = repeat(durationMs, callMany);
  return Math.round((allocatedBytes() - before) / (times * CALLS));
}

function repeat(durationMs: number, callMany: () => void): number {
  const startMs = performance.now();
  let times = 0;
  for (; performance.now() - startMs < durationMs; times++) callMany();
  return times;
}

function decide(i: number): Patch {
  const event = EVENTS[i % EVENTS.length] as LifecycleEvent;
  return transition(RECORD, event, POLICY, NOW_MS + i, 0.5);
}

function nextTime(i: number): number {
  return nextAttemptAt(DEFAULT_RETRY, i % 60, NOW_MS + i, 0.5) ?? 0;
}

function allocatedBytes(): number {
  const { total_allocated_bytes: bytes } = getHeapStatistics() as unknown as Record<string, number>;
  if (bytes === undefined) {
    throw new Error("Cannot count allocated bytes: this version of V8 does not report them");
  }
  return bytes;
}
