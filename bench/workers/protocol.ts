/**
 * What the bench and its workers send each other. The bench gives a worker its {@linkcode Task} as an
 * argument when it starts it, and a signal (an empty line) whenever the next step may begin. The worker
 * answers with one {@linkcode WorkerReport} a line.
 *
 * @module
 */
import type { SubjectName } from "../subjects/registry.ts";
import type { OpenOptions } from "../subjects/subject.ts";

/** The subject of a task, and how the worker opens it. */
export interface TaskSubject {
  readonly subject: SubjectName;
  readonly openOptions: OpenOptions;
}

/** What a worker does. */
export type Task =
  /** Creates the subject's tables if asked to, and puts `count` messages into a box. */
  | TaskSubject & {
    readonly kind: "fill-box";
    readonly create: boolean;
    readonly box: "outbox" | "inbox";
    readonly count: number;
  }
  /** Publishes for a fixed time after a signal. */
  | TaskSubject & {
    readonly kind: "publish";
    readonly mode: "one" | "many" | "transaction";
    readonly concurrency: number;
    readonly durationMs: number;
  }
  /** Handles messages from one signal to the next. */
  | TaskSubject & {
    readonly kind: "handle";
    readonly box: "outbox" | "inbox" | "both";
    readonly writesRow: boolean;
    readonly batched: boolean;
    readonly inTransaction: boolean;
    /** It reports after so many messages, and every few milliseconds. */
    readonly reportEvery: number;
  }
  /** Handles messages and publishes `warmUp` of them after one signal, and `messages` after the next. */
  | TaskSubject & {
    readonly kind: "publish-and-handle";
    readonly warmUp: number;
    readonly messages: number;
  }
  /** Publishes at a steady rate, first to warm up, and handles in the same process if asked to. */
  | TaskSubject & {
    readonly kind: "publish-steadily";
    readonly handles: boolean;
    readonly durationMs: number;
  }
  /** Publishes messages that are due much later, from one signal to the next, until it is killed. */
  | TaskSubject & { readonly kind: "publish-delayed"; readonly concurrency: number }
  /** Prunes for `sliceMs` after each signal, until it is killed. */
  | TaskSubject & { readonly kind: "prune"; readonly sliceMs: number }
  /** Measures the pure core. */
  | { readonly kind: "core"; readonly figure: "rate" | "bytes"; readonly durationMs: number }
  /** Measures two services on Upstash Redis. */
  | {
    readonly kind: "upstash-redis";
    readonly figure: "rate" | "commands";
    readonly redisPort: number;
    readonly durationMs: number;
  }
  /** Measures a service on PGlite. */
  | { readonly kind: "pglite"; readonly durationMs: number }
  /** Measures the delivery route, or a route that only verifies signatures. */
  | { readonly kind: "edge"; readonly verifyOnly: boolean; readonly durationMs: number };

/** What a worker reports. */
export type WorkerReport =
  /** It is warm and waits for a signal. */
  | { readonly kind: "ready" }
  /** How many messages it has handled so far, and the processor time since its first signal. */
  | {
    readonly kind: "handled";
    readonly handled: number;
    /** How many are settled; null if the subject does not count them. */
    readonly settled: number | null;
    /** The time of the report, in milliseconds of {@linkcode wallClock}. */
    readonly atMs: number;
    readonly cpuMs: number;
  }
  /** How many messages it published to warm up, or in the measurement. */
  | { readonly kind: "published"; readonly count: number }
  /** How many messages it has pruned so far. */
  | { readonly kind: "pruned"; readonly count: number }
  /** The end of a measurement: messages, duration and the worker's own processor time. */
  | {
    readonly kind: "done";
    readonly count: number;
    readonly elapsedMs: number;
    readonly cpuMs: number;
    readonly latenciesMs: readonly number[];
  }
  /** The result of a task that needs no fixture: one value or two. */
  | { readonly kind: "value"; readonly value: number; readonly second: number | null };
