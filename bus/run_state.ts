/**
 * The phases of a bus, from new to stopped.
 *
 * @module
 */
import { AtlastError } from "../core/errors.ts";

/** A bus rests until it is started, runs, drains, and is then stopped for good. */
export type Phase = "resting" | "running" | "draining" | "stopped";

/**
 * Throws if the bus is stopping or has stopped, for calls that begin new work.
 *
 * @throws {AtlastError} `stopped`.
 */
export function mustTakeWork(phase: Phase, action: string): void {
  if (phase === "draining") throw stopped(action, "is stopping");
  mustNotBeStopped(phase, action);
}

/**
 * Throws if the bus has stopped, for calls that a draining bus still accepts.
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
