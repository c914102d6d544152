/**
 * Applies the user's `redact` function to reasons and errors before they are stored or observed.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { isInstance, propertyOf, textOfThrown } from "../../core/user_code/thrown.ts";
import type { Observer } from "../api/observer.ts";

/** Takes out of a text what must not be kept. Never throws. */
export type Redact = (text: string) => string;

/** What stands for a text that could not be redacted. */
const WITHHELD = "Withheld: the redact option did not give a text";

/** A user's function that cannot harm the bus: what it fails on is withheld as a whole. */
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

/** An observer that is given errors in redacted form. Reasons are redacted before they are stored. */
export function redacted(observe: Observer, redact: Redact | null): Observer {
  if (redact === null) return observe;
  return (event) => {
    if (event.kind !== "error") return observe(event);
    observe({ ...event, error: redactedError(event.error, redact) });
  };
}

/** The same error with its message and stack redacted, and without what else it carries. */
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
    // An error whose own properties throw.
    return new Error(WITHHELD);
  }
}
