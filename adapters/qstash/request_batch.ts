/**
 * Packs requests to QStash into as few calls as its limits allow.
 *
 * @module
 */
import { bodyBytes } from "../../core/message/message.ts";
import { fitsBatch, type QstashRequest } from "./request.ts";

/** A message to send: its index in the call, and its request. */
export interface Job {
  /** Its index among the messages. */
  readonly index: number;
  /** The request. */
  readonly request: QstashRequest;
}

/** Messages that go in one call: a batch, or one alone. */
export interface RequestBatch {
  /** Whether they are sent as a batch. */
  readonly isBatch: boolean;
  /** The messages; one, unless they are sent as a batch. */
  readonly jobs: readonly Job[];
}

/** Limits of a request batch. */
export interface RequestLimits {
  /** The most messages in one. */
  readonly maxBatch: number;
  /** The most bytes in one. */
  readonly maxRequestBytes: number;
}

/** Sorts messages into request batches. */
export function requestBatches(jobs: readonly Job[], limits: RequestLimits): RequestBatch[] {
  const batches: RequestBatch[] = [];
  let open: { jobs: Job[]; bytes: number } | null = null;
  for (const job of jobs) {
    if (!fitsBatch(job.request)) {
      batches.push({ isBatch: false, jobs: [job] });
      continue;
    }
    // The header names differ in the request, but none of them is shorter here.
    const bytes = bodyBytes(JSON.stringify(job.request));
    if (
      open === null || open.jobs.length >= limits.maxBatch ||
      open.bytes + bytes > limits.maxRequestBytes
    ) {
      open = { jobs: [], bytes: 0 };
      batches.push({ isBatch: true, jobs: open.jobs });
    }
    open.jobs.push(job);
    open.bytes += bytes + HEADER_NAMES_BYTES;
  }
  return batches;
}

/** The text that the client adds, such as `upstash-forward-` before names. */
const HEADER_NAMES_BYTES = 1024;

/** Two request batches with half of the messages each; null for a batch that cannot be split. */
export function halved(
  { isBatch, jobs }: RequestBatch,
): readonly [RequestBatch, RequestBatch] | null {
  if (jobs.length < 2) return null;
  const middle = Math.ceil(jobs.length / 2);
  return [{ isBatch, jobs: jobs.slice(0, middle) }, { isBatch, jobs: jobs.slice(middle) }];
}
