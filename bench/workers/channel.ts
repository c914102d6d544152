/**
 * What all measuring processes share: how they talk, and how they take their own time.
 *
 * @module
 */
import process from "node:process";
import type { Order, Report } from "./protocol.ts";
import { type Body, bodyOf } from "../subjects/subject.ts";

/** The order of a role. */
export type OrderFor<Role extends Order["role"]> = Extract<Order, { readonly role: Role }>;

/** How a process talks to the one that started it. */
export interface Talk {
  readonly say: (report: Report) => void;
  /** Waits for a word. */
  readonly told: () => Promise<void>;
}

/** Takes the time and the processor time from now on. */
export function stopwatch(): (count: number) => Extract<Report, { kind: "done" }> {
  const startMs = performance.now();
  const cpuMs = processorTime();
  return (count) => ({
    kind: "done",
    count,
    elapsedMs: performance.now() - startMs,
    cpuMs: cpuMs(),
    latenciesMs: [],
  });
}

/** The processor time of this process from now on, in milliseconds. */
export function processorTime(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
}

export function bodiesFrom(first: number, count: number): Body[] {
  return Array.from({ length: count }, (_, i) => bodyOf(first + i));
}
