/**
 * The phases of a bus, from new to stopped.
 *
 * @module
 */
import { AtlastError } from "../core/errors.ts";

/** What a bus does: rests until started, runs, drains, and is then stopped for good. */
export type Phase = "resting" | "running" | "draining" | "stopped";

/**
 * Refuses what a bus that stops takes no more: it lets go on what it has begun.
 *
 * @throws {AtlastError} `stopped`.
 */
export function mustTakeWork(phase: Phase, action: string): void {
  if (phase === "draining") throw stopped(action, "is stopping");
  mustNotBeStopped(phase, action);
}

/**
 * Refuses what a bus that has stopped cannot do.
 *
 * @throws {AtlastError} `stopped`.
 */
export function mustNotBeStopped(phase: Phase, action: string): void {
  if (phase === "stopped") throw stopped(action, "has stopped");
}

function stopped(action: string, phase: string): AtlastError {
  return new AtlastError(
    "stopped",
    `Cannot ${action}: the bus ${phase}, want one that runs or rests`,
  );
}
