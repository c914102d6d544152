/**
 * The events that a bus reports to `observe`, for logs, metrics and alarms. No event has a body.
 *
 * @module
 */
import { callGuarded } from "../../core/user_code/guard.ts";
import type { Box, State } from "../../core/lifecycle/lifecycle.ts";

/** Something that happened. */
export type BusEvent =
  /** A message was stored for sending, and is committed. */
  | MessageEvent<"published">
  /**
   * A message was stored in a transaction that had not committed by then. `published` follows where the
   * transaction is one of this bus and commits; of one that others began nobody here knows the end.
   */
  | MessageEvent<"staged">
  /** A half message was stored. */
  | MessageEvent<"prepared">
  /** The participant of a half message was asked and could not say, or did not answer; `reason` tells which. */
  | MessageEvent<"undecided"> & { readonly reason: string; readonly dueAtMs: number }
  /** A half message was parked: an alarm, because it waits for an operator or a late answer. */
  | MessageEvent<"in_doubt"> & { readonly reason: string }
  /**
   * The outcome of a half message contradicts how the message was decided, and changes nothing: an alarm,
   * because only a person can mend it. `forced` says whether an operator had decided it without the participant.
   */
  | MessageEvent<"contradicted"> & {
    readonly state: State;
    readonly outcome: "committed" | "aborted";
    readonly forced: boolean;
  }
  /** A message arrived and was stored. */
  | MessageEvent<"received">
  /** A message arrived that was here before. */
  | MessageEvent<"redelivered">
  /** A message arrived that can never be taken, such as a different one with the id of one that is here. */
  | MessageEvent<"rejected"> & { readonly reason: string }
  /** A message was sent, or handled. */
  | MessageEvent<"succeeded"> & { readonly attempts: number }
  /** An attempt failed, and another will follow at `dueAtMs`. */
  | MessageEvent<"retrying"> & {
    readonly attempts: number;
    readonly reason: string;
    readonly dueAtMs: number;
  }
  /** A message failed for good and waits for an operator. */
  | MessageEvent<"failed"> & { readonly attempts: number; readonly reason: string }
  /**
   * There is no route or subscriber for a message here. It is said once; the message is tried again until it can
   * be taken or fails.
   */
  | MessageEvent<"unroutable"> & { readonly reason: string }
  /** A message was given back, and no attempt was counted. */
  | MessageEvent<"released"> & { readonly reason: string }
  /** A worker's claim was taken over, and its work was not kept. */
  | MessageEvent<"stale">
  /** A half message was decided, a message withdrawn, or one tried again by hand. */
  | MessageEvent<"changed"> & { readonly state: State }
  /** Expired messages were deleted. */
  | { readonly kind: "pruned"; readonly box: Box; readonly count: number }
  /** Background work met an error and goes on after a pause. */
  | { readonly kind: "error"; readonly during: string; readonly error: unknown };

/** Something that happened to one message. */
export interface MessageEvent<Kind extends string> {
  /** What happened. */
  readonly kind: Kind;
  /** On which side. */
  readonly box: Box;
  /** The message's id. */
  readonly id: string;
  /** The message's name. */
  readonly name: string;
  /** The group that handles it; the empty string in the outbox. */
  readonly group: string;
}

/** Is told what happens. What it throws is ignored: watching must not change what is watched. */
export type Observer = (event: BusEvent) => void;

/** An observer that cannot harm the bus. */
export function guarded(observe: Observer | undefined): Observer {
  if (observe === undefined) return () => {};
  return (event) => {
    callGuarded(() => observe(event));
  };
}

/** Does work that nobody else waits for, and observes its error. Never rejects. */
export async function observed(
  observe: Observer,
  during: string,
  work: () => Promise<unknown> | undefined,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    observe({ kind: "error", during, error });
  }
}
