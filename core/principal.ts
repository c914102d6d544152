/**
 * The principal: who a verifier says a request is from.
 *
 * @module
 */

/** What a principal is to this service. */
export type PrincipalKind =
  /** One of our own services. Services that share a key are one principal. */
  | "service"
  /** The participant of half messages that are kept here. */
  | "participant"
  /** The keeper of half messages of this service. */
  | "keeper"
  /** What takes messages and delivers them for others. */
  | "push_provider"
  /** Someone outside who publishes here. */
  | "publisher"
  /** A person who operates this service. */
  | "operator";

/** Who asks. */
export interface Principal {
  /**
   * Tells principals apart; empty where the verifier names nobody. It never depends on the name of a key, so
   * that keys can be rotated.
   */
  readonly name: string;
  /** What it is to this service. */
  readonly kind: PrincipalKind;
  /**
   * The names, or patterns of names, that it may ask callbacks under.
   *
   * @default any for which there is a route if it is one of our own services, else none
   */
  readonly callbackNames?: readonly string[];
}
