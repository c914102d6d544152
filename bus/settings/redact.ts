/**
 * Applies the user's `redact` function to reasons and errors before they are stored or observed.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { isInstance, propertyOf, textOfThrown } from "../../core/user_code/thrown.ts";
import type { BusEvent, Observer } from "../api/observer.ts";

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
    const { error } = event as { error?: unknown };
    observe(
      error === undefined ? event : { ...event, error: redactedError(error, redact) } as BusEvent,
    );
  };
}

/** How many causes of an error are copied. */
const MAX_CAUSES = 3;

/**
 * A copy of the error with redacted message and stack, with its causes copied likewise, and without
 * its other properties.
 */
function redactedError(error: unknown, redact: Redact, depth = 0): unknown {
  try {
    const { name, message } = textOfThrown(error);
    const stack = propertyOf(error, "stack");
    const text = redact(message);
    const copy = isInstance(error, AtlastError)
      ? new AtlastError(error.code, text)
      : Object.assign(new Error(text), { name: redact(name) });
    Object.defineProperty(copy, "stack", {
      value: typeof stack === "string" ? redact(stack) : undefined,
      configurable: true,
      writable: true,
    });
    const cause = propertyOf(error, "cause");
    if (cause !== undefined && depth < MAX_CAUSES) {
      copy.cause = redactedError(cause, redact, depth + 1);
    }
    return copy;
  } catch {
    // A property of the error threw.
    return new Error(WITHHELD);
  }
}
