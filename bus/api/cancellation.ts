/**
 * The result of cancelling a message.
 *
 * @module
 */

/** The result of a cancellation. */
export type Cancellation =
  /** The message is cancelled. It was not sent, and will not be. */
  | "cancelled"
  /** It is being sent, was sent, or may have arrived: an attempt got no answer, or its worker died. */
  | "too_late";
