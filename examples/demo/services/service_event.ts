/**
 * The events that a service reports to the demo, one line of JSON each.
 *
 * @module
 */

import type { Kill } from "../faults/fault_plan.ts";

/** The two services. */
export type ServiceName = "orders" | "inventory";

/** Something that happened in a service. */
export type ServiceEvent =
  /**
   * It serves. `leased` counts the messages that a killed process had claimed, `undecided` the half messages
   * that it left undecided.
   */
  | {
    readonly kind: "ready";
    readonly engine: string;
    readonly leased: number;
    readonly undecided: number;
  }
  /** A fault of the transport hit an order's message. */
  | { readonly kind: "lost" | "answer_lost" | "doubled"; readonly order: number }
  /** A handler crashed before or after its writes; `crashed_kept` if they are not rolled back. */
  | {
    readonly kind: "crashed_before" | "crashed_after" | "crashed_kept";
    readonly order: number;
  }
  /** A message arrived that was received before. */
  | { readonly kind: "redelivered" }
  /** A process waits in the middle of an order to be killed. */
  | { readonly kind: "to_be_killed" } & Kill
  /** A payment failed and rolled back, or its outcome did not reach the store. */
  | { readonly kind: "rolled_back" | "outcome_lost"; readonly order: number | null }
  /** A check-back found that a payment was taken, or aborted it for good. */
  | { readonly kind: "found_taken" | "found_aborted"; readonly order: number | null }
  /** A message is retried, because the other service cannot be reached. */
  | { readonly kind: "unreachable" }
  /** All attempts to handle an order's message are used up. */
  | { readonly kind: "gave_up"; readonly order: number | null; readonly attempts: number }
  /** An order succeeded, or was compensated because there was not enough. */
  | { readonly kind: "succeeded" | "short"; readonly order: number }
  /** An order was compensated because the other service failed to handle it. */
  | { readonly kind: "stuck" }
  /** An order that could not be paid was compensated: its goods are in stock again. */
  | { readonly kind: "returned"; readonly order: number }
  /** Something that should not happen. */
  | { readonly kind: "error"; readonly text: string };
