/**
 * Applies the user's `redact` function to reasons and errors before they are stored or observed.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { isInstance, propertyOf, textOfThrown } from "../../core/user_code/thrown.ts";
import type { Observer } from "../api/observer.ts";

/** Removes secrets from a text. Never throws. */
export type Redact = (text: string) => string;

/** Replaces a text that could not be redacted. */
const WITHHELD = "Withheld: the redact option did not return a text";

/** Wraps the user's function: a text on which it fails is withheld as a whole. */
export function redacting(redact: (text: string) => string): Redact {
  return (text) => {
    try {
      const kept: unknown = redact(text);
      return typeof kept === "string" ? kept : WITHHELD;
    } catch {
      return WITHHELD;
    }
  };
}

/**
 * Wraps an observer so that errors reach it redacted. Reasons are redacted earlier, before they are
 * stored.
 */
export function redacted(observe: Observer, redact: Redact | null): Observer {
  if (redact === null) return observe;
  return (event) => {
    if (event.kind !== "error") return observe(event);
    observe({ ...event, error: redactedError(event.error, redact) });
  };
}

/** A copy of the error with redacted message and stack, and without its other properties. */
function redactedError(error: unknown, redact: Redact): unknown {
  try {
    const { name, message } = textOfThrown(error);
    const stack = propertyOf(error, "stack");
    const text = redact(message);
    const copy = isInstance(error, AtlastError)
      ? new AtlastError(error.code, text)
      : Object.assign(new Error(text), { name });
    Object.defineProperty(copy, "stack", {
      value: typeof stack === "string" ? redact(stack) : undefined,
      configurable: true,
      writable: true,
    });
    return copy;
  } catch {
    // A property of the error threw.
    return new Error(WITHHELD);
  }
}
