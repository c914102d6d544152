/**
 * The limits of QStash's plans.
 *
 * @module
 */
import { DAY_MS } from "./duration.ts";

/** The plans of QStash. */
export type QstashPlan = "free" | "payg" | "fixed_1m" | "fixed_10m";

/** The limits of a plan; `Infinity` for none. */
export interface QstashLimits {
  /** The most messages published in a day, by UTC. */
  readonly messagesPerDay: number;
  /** The largest body, in bytes. */
  readonly maxMessageBytes: number;
  /** The longest delay, in milliseconds. */
  readonly maxDelayMs: number;
  /** How long a destination may take to answer, in milliseconds. */
  readonly maxResponseMs: number;
  /** How long the DLQ keeps a message, in milliseconds. */
  readonly dlqRetentionMs: number;
  /** How long events are kept, in milliseconds. */
  readonly logRetentionMs: number;
  /** The most schedules. */
  readonly schedules: number;
  /** The most queues. */
  readonly queues: number;
  /** The most URL groups. */
  readonly urlGroups: number;
  /** The most endpoints in a URL group. */
  readonly endpoints: number;
  /** The highest parallelism of one queue. */
  readonly queueParallelism: number;
  /** The most concurrent deliveries. */
  readonly parallelism: number;
  /** The highest `Upstash-Retries`. */
  readonly maxRetries: number;
}

const HOUR_MS = 3_600_000;
const MB = 1024 * 1024;

const PAYG: QstashLimits = {
  messagesPerDay: Infinity,
  maxMessageBytes: 10 * MB,
  maxDelayMs: 365 * DAY_MS,
  maxResponseMs: 2 * HOUR_MS,
  dlqRetentionMs: 7 * DAY_MS,
  logRetentionMs: 7 * DAY_MS,
  schedules: 1000,
  queues: 100,
  urlGroups: 100,
  endpoints: Infinity,
  queueParallelism: 100,
  parallelism: 100,
  maxRetries: 999,
};

/** The limits of each plan, as published in 2026; if a page says "custom", those of the next lower plan. */
export const QSTASH_PLANS: Readonly<Record<QstashPlan, QstashLimits>> = {
  free: {
    messagesPerDay: 1000,
    maxMessageBytes: MB,
    maxDelayMs: 7 * DAY_MS,
    maxResponseMs: HOUR_MS / 4,
    dlqRetentionMs: 3 * DAY_MS,
    logRetentionMs: 3 * DAY_MS,
    schedules: 10,
    queues: 10,
    urlGroups: 1,
    endpoints: 100,
    queueParallelism: 2,
    parallelism: 10,
    maxRetries: 999,
  },
  payg: PAYG,
  fixed_1m: {
    ...PAYG,
    messagesPerDay: 1_000_000,
    maxMessageBytes: 50 * MB,
    maxDelayMs: Infinity,
    dlqRetentionMs: 30 * DAY_MS,
    queueParallelism: 200,
    parallelism: 200,
  },
  fixed_10m: {
    ...PAYG,
    messagesPerDay: 10_000_000,
    maxMessageBytes: 50 * MB,
    maxDelayMs: Infinity,
    dlqRetentionMs: 90 * DAY_MS,
    queueParallelism: 1000,
    parallelism: 1000,
  },
};
