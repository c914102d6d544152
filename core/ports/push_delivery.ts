/**
 * The data of a push provider about a delivery.
 *
 * @module
 */

/** A delivery of a push provider, as its verifier read it. */
export interface PushDelivery {
  /**
   * The provider's number of the attempt, from 1 on; null if unknown. The signature does not cover
   * it, so it may decide when the next attempt is, but never that a message has failed.
   */
  readonly attempt: number | null;
  /** When the provider signed the delivery, in Unix milliseconds. */
  readonly signedAtMs: number;
  /** The URL that was signed. */
  readonly url: string;
  /** Whether the signature covers the message's name, headers and content type. */
  readonly bindsHeaders: boolean;
  /**
   * How to accept a message whose headers are not signed: with this id, which is derived from the
   * signed data, if its name matches one of these names or patterns; null to refuse it.
   */
  readonly unbound: { readonly id: string; readonly names: readonly string[] } | null;
}
