/**
 * Compares a body with the part of it that a test expects.
 *
 * @module
 */

/** Some of the fields of a value, at any depth. Lists must be whole. */
export type PartOf<Value> = Value extends readonly (infer Item)[] ? readonly PartOf<Item>[]
  : Value extends Date | Uint8Array ? Value
  : Value extends object ? { readonly [Key in keyof Value]?: PartOf<Value[Key]> }
  : Value;

/** Whether a value has the fields of `part`, and lists of the same length. */
export function matchesPart(value: unknown, part: unknown): boolean {
  if (Object.is(value, part)) return true;
  if (!isObject(value) || !isObject(part)) return false;
  if (part instanceof Date) return value instanceof Date && value.getTime() === part.getTime();
  if (lengthOf(value) !== lengthOf(part)) return false;
  return Object.entries(part).every(([key, own]) =>
    Object.hasOwn(value, key) && matchesPart((value as Record<string, unknown>)[key], own)
  );
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The length of a list or of bytes; null for an object with named fields. */
function lengthOf(value: object): number | null {
  return Array.isArray(value) || value instanceof Uint8Array ? value.length : null;
}
