/**
 * Parses JSON from outside.
 *
 * @module
 */

/** Parses JSON; undefined for invalid text, or if it is nested too deeply for the platform. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
