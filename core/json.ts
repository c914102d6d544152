/**
 * Parses JSON from outside.
 *
 * @module
 */

/** What JSON says; undefined for what is none, or is nested deeper than the platform reads. */
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
