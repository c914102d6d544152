/**
 * The principal: the authenticated sender of a request.
 *
 * @module
 */
import { aList, aText, nested, oneOf, type OptionCheck } from "./check_options.ts";
import { checkPattern } from "./message/name.ts";

/** The kind of a principal. */
export type PrincipalKind =
  /** One of our own services. Services that share a key are one principal. */
  | "service"
  /** The participant of half messages that this service keeps. */
  | "participant"
  /** The keeper of half messages of this service. */
  | "keeper"
  /** A provider that accepts messages and delivers them. */
  | "push_provider"
  /** An outside publisher. */
  | "publisher"
  /** A person who operates this service. */
  | "operator";

/** The authenticated sender of a request. */
export interface Principal {
  /**
   * The unique name; empty if the verifier names no principal. It does not depend on the key, so
   * that keys can be rotated.
   */
  readonly name: string;
  /** Its kind. */
  readonly kind: PrincipalKind;
  /**
   * The callback names, or patterns of names, that it may request.
   *
   * @default any name with a route for the kind `service`, otherwise none
   */
  readonly callbackNames?: readonly string[];
}

const KINDS: readonly PrincipalKind[] = [
  "service",
  "participant",
  "keeper",
  "push_provider",
  "publisher",
  "operator",
];

/** A principal, as an option. */
export const aPrincipal: OptionCheck = nested(
  { callbackNames: aList((_option, value) => checkPattern(value as string)) },
  { name: aText, kind: oneOf(...KINDS) },
);
