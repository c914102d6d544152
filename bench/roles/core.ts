/**
 * How fast the pure core decides.
 *
 * @module
 */
import {
  DEFAULT_EXPIRY,
  DEFAULT_RETRY,
  type LifecycleEvent,
  nextAttemptAt,
  type Standing,
  transition,
} from "../../mod.ts";

const NOW_MS = 1_780_000_000_000;
const POLICY = { retry: DEFAULT_RETRY, expiry: DEFAULT_EXPIRY };
const EVENTS: readonly LifecycleEvent[] = [
  { kind: "succeed" },
  { kind: "fail", reason: "Error-->no", retryable: true },
  { kind: "release", delayMs: 1000 },
];

/** Decisions in a second, one `transition` and one `nextAttemptAt` counted as two. */
export function measureCore(durationMs: number): number {
  rate(durationMs / 5);
  return rate(durationMs);
}

function rate(durationMs: number): number {
  const record: Standing = {
    box: "outbox",
    state: "scheduled",
    attempts: 0,
    crashes: 0,
    dueAtMs: NOW_MS,
    deadlineMs: null,
    checks: 0,
    unreachable: 0,
    note: null,
  };
  const startMs = performance.now();
  let decisions = 0;
  let sum = 0;
  while (performance.now() - startMs < durationMs) {
    for (let i = 0; i < 3000; i++) {
      const event = EVENTS[i % EVENTS.length] as LifecycleEvent;
      sum += transition(record, event, POLICY, NOW_MS + i, 0.5).dueAtMs;
      sum += nextAttemptAt(DEFAULT_RETRY, i % 60, NOW_MS + i, 0.5) ?? 0;
    }
    decisions += 6000;
  }
  const elapsedMs = performance.now() - startMs;
  // The results are used, or the compiler might leave the work out.
  return sum === 0 ? 0 : decisions / elapsedMs * 1000;
}
