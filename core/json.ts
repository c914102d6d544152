/**
 * Parses JSON from outside.
 *
 * @module
 */

/**
 * Parses JSON, after a byte-order mark if there is one; undefined for invalid text, or if it is
 * nested too deeply for the platform.
 */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(withoutMark(text));
  } catch {
    return undefined;
  }
}

/**
 * Text without the byte-order mark that some programs write before it. JSON may ignore it (RFC
 * 8259, section 8.1).
 */
export function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
