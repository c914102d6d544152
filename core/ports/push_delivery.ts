/**
 * What a push provider says about a delivery.
 *
 * @module
 */

/** A delivery of a push provider, as its verifier found it. */
export interface PushDelivery {
  /**
   * Which attempt the provider says this is, from 1 on; null where it does not say. Its signature does not
   * cover it: it may decide when an attempt comes, and never that a message has failed.
   */
  readonly attempt: number | null;
  /** When the provider signed the delivery, in Unix milliseconds. */
  readonly signedAtMs: number;
  /** The URL that was signed. */
  readonly url: string;
  /** Whether what is signed says which message this is: its name, its headers and its content type. */
  readonly bindsHeaders: boolean;
  /**
   * How to take a message whose headers nobody signed: under this id, made of what is signed, if its name is
   * one of these names or patterns; null for not at all.
   */
  readonly unbound: { readonly id: string; readonly names: readonly string[] } | null;
}
