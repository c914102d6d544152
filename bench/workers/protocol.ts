/**
 * What passes between the bench and its measuring processes.
 *
 * @module
 */
import type { OpenOptions } from "../subjects/subject.ts";
import type { SubjectName } from "../subjects/registry.ts";

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
    readonly batched: boolean;
    readonly inTransaction: boolean;
    /** After how many messages it says how far it is, besides every few milliseconds. */
    readonly tellEvery: number;
  }
  /** Publish so many while handling them; publish more at the next word. */
  | OfSubject & { readonly role: "whole"; readonly warmUp: number; readonly messages: number }
  /** Publish at an even pace, first to warm up, and handle in the same process if asked to. */
  | OfSubject & {
    readonly role: "pace";
    readonly handles: boolean;
    readonly durationMs: number;
  }
  /** Publish what is due much later, from one word to the next, again and again. */
  | OfSubject & { readonly role: "delayed"; readonly concurrency: number }
  /** Delete what is past its expiry, for a slice of time at each word. */
  | OfSubject & { readonly role: "prune"; readonly sliceMs: number }
  | { readonly role: "core"; readonly what: "rate" | "bytes"; readonly durationMs: number }
  | {
    readonly role: "upstash-redis";
    readonly what: "rate" | "commands";
    readonly redisPort: number;
    readonly durationMs: number;
  }
  | { readonly role: "pglite"; readonly durationMs: number }
  | { readonly role: "edge"; readonly bare: boolean; readonly durationMs: number };

/** What a process says. */
export type Report =
  /** It is open, and waits for the word to start. */
  | { readonly kind: "ready" }
  /** How far it is, and what processor time that took. */
  | {
    readonly kind: "handled";
    readonly handled: number;
    /** How many are settled, if it knows. */
    readonly settled: number | null;
    /** When, in milliseconds of {@linkcode wallClock}. */
    readonly atMs: number;
    readonly cpuMs: number;
  }
  /** It has published so many, to warm up or for the measurement. */
  | { readonly kind: "published"; readonly count: number }
  /** It has deleted so many so far. */
  | { readonly kind: "pruned"; readonly count: number }
  /** It is done: how many in how long, and its own processor time. */
  | {
    readonly kind: "done";
    readonly count: number;
    readonly elapsedMs: number;
    readonly cpuMs: number;
    readonly latenciesMs: readonly number[];
  }
  /** What needs no store: one value or two. */
  | { readonly kind: "value"; readonly value: number; readonly second: number | null };
