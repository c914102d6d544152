/**
 * The phases of a bus.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";

/** What a bus does: rests until started, runs, drains, and is then stopped for good. */
export type Phase = "resting" | "running" | "draining" | "stopped";

/** What one is told who asks something of a bus that takes no more; `phase` says why it does not. */
export function stopped(action: string, phase: string): AtlastError {
  return new AtlastError(
    "stopped",
    `Cannot ${action}: the bus ${phase}, want one that runs or rests`,
  );
}
