/**
 * The events that a bus reports to `observe`, for logs, metrics and alarms. No event has a body.
 *
 * @module
 */
import { callGuarded } from "../../core/user_code/guard.ts";
import type { Orphans } from "./orphans.ts";
import type { Box, State } from "../../core/lifecycle/lifecycle.ts";

/** An event of a bus. */
export type BusEvent =
  /** A message was stored and committed. */
  | MessageEvent<"published">
  /**
   * A message was stored in a transaction that has not committed yet. `published` follows if this
   * bus began the transaction and it commits. The bus does not see the end of other transactions.
   */
  | MessageEvent<"staged">
  /** A half message was stored. */
  | MessageEvent<"prepared">
  /**
   * The participant of a half message does not know the outcome, or did not answer; `reason` says
   * which.
   */
  | MessageEvent<"undecided"> & { readonly reason: string; readonly dueAtMs: number }
  /** A half message was parked. Alert on this: it waits for an operator or a late answer. */
  | MessageEvent<"in_doubt"> & { readonly reason: string }
  /**
   * The outcome of a half message contradicts the decision on the message, and changes nothing.
   * Alert on this: only a person can correct it. `forced` says whether an operator decided without
   * the participant.
   */
  | MessageEvent<"contradicted"> & {
    readonly state: State;
    readonly outcome: "committed" | "aborted";
    readonly forced: boolean;
  }
  /** A message arrived and was stored. */
  | MessageEvent<"received">
  /** A message arrived that had arrived before. */
  | MessageEvent<"redelivered">
  /**
   * A message arrived that can never be accepted, such as one with the id of a different message.
   */
  | MessageEvent<"rejected"> & { readonly reason: string }
  /** A message was sent, or handled. */
  | MessageEvent<"succeeded"> & { readonly attempts: number }
  /**
   * An attempt failed, and another will follow at `dueAtMs`. `error` is what was thrown, with its
   * stack; undefined if nothing was thrown, such as for an answer of a receiver.
   */
  | MessageEvent<"retrying"> & {
    readonly attempts: number;
    readonly reason: string;
    readonly dueAtMs: number;
    readonly error?: unknown;
  }
  /**
   * A message failed for good and waits for an operator. `error` is what was thrown, with its stack;
   * undefined if nothing was thrown.
   */
  | MessageEvent<"failed"> & {
    readonly attempts: number;
    readonly reason: string;
    readonly error?: unknown;
  }
  /**
   * This instance has no route or subscriber for a message. Reported once; the message is tried
   * again until an instance takes it or it fails.
   */
  | MessageEvent<"unroutable"> & { readonly reason: string }
  /**
   * A claimed message was released, and no attempt was counted. `error` is why, if its body did not
   * fit the contract: see `BusOptions.invalidBodyForMs`.
   */
  | MessageEvent<"released"> & { readonly reason: string; readonly error?: unknown }
  /** Another worker has taken over a claim, and the work of the first was not kept. */
  | MessageEvent<"stale">
  /** A half message was decided, or a message was cancelled, retried or made due by hand. */
  | MessageEvent<"changed"> & { readonly state: State }
  /**
   * Messages of the inbox have been due for `orphanAfterMs`, no worker has claimed them, and this
   * bus does not subscribe to them. Alert on this: they wait until someone does, or an operator moves
   * them with `Bus.moveToGroup`. Reported once, and again if they were gone in between.
   */
  | { readonly kind: "orphaned" } & Orphans
  /** Expired messages were deleted. */
  | { readonly kind: "pruned"; readonly box: Box; readonly count: number }
  /** Background work had an error and continues after a pause. */
  | { readonly kind: "error"; readonly during: string; readonly error: unknown };

/** An event of one message. */
export interface MessageEvent<Kind extends string> {
  /** The kind of event. */
  readonly kind: Kind;
  /** The box of the message. */
  readonly box: Box;
  /** The message's id. */
  readonly id: string;
  /** The message's name. */
  readonly name: string;
  /** The group that handles it; the empty string in the outbox. */
  readonly group: string;
}

/** Called with every event. An error that it throws is ignored. */
export type Observer = (event: BusEvent) => void;

/** Wraps an observer so that its errors are ignored. */
export function guarded(observe: Observer | undefined): Observer {
  if (observe === undefined) return () => {};
  return (event) => {
    callGuarded(() => observe(event));
  };
}

/** Runs background work, and reports its error to the observer. Never rejects. */
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
