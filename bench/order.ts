/**
 * What passes between the bench and its measuring processes.
 *
 * @module
 */
import type { OpenOptions } from "./subject.ts";
import type { SubjectName } from "./subjects/load.ts";

interface OfSubject {
  readonly subject: SubjectName;
  readonly open: OpenOptions;
}

/** What a process is to do. */
export type Order =
  /** Create tables if asked to, and fill a side. */
  | OfSubject & {
    readonly role: "prepare";
    readonly create: boolean;
    readonly side: "outbox" | "inbox";
    readonly count: number;
  }
  /** Publish for a time. */
  | OfSubject & {
    readonly role: "publish";
    readonly how: "one" | "many" | "transaction";
    readonly concurrency: number;
    readonly durationMs: number;
  }
  /** Handle until told to stop. */
  | OfSubject & {
    readonly role: "handle";
    readonly side: "outbox" | "inbox" | "both";
    readonly effect: boolean;
    readonly latency: boolean;
  }
  /** Publish so many while handling them. */
  | OfSubject & { readonly role: "whole"; readonly count: number }
  /** Publish at an even pace. */
  | OfSubject & { readonly role: "pace"; readonly durationMs: number }
  | { readonly role: "core"; readonly durationMs: number }
  | { readonly role: "edge"; readonly bare: boolean; readonly durationMs: number };

/** What a process says. */
export type Report =
  /** It is open, and waits for the word to start. */
  | { readonly kind: "ready" }
  /** How many it has handled, and settled if it knows, so far. */
  | { readonly kind: "handled"; readonly handled: number; readonly settled: number | null }
  /** It is done: how many in how long, and its own processor time. */
  | {
    readonly kind: "done";
    readonly count: number;
    readonly elapsedMs: number;
    readonly cpuMs: number;
    readonly latenciesMs: readonly number[];
  }
  | { readonly kind: "rate"; readonly rate: number };
