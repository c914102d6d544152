/**
 * Compares secrets.
 *
 * @module
 */

/** Whether two byte arrays are equal, in a time that does not depend on the first difference. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a[i] ?? 0) ^ b[i]!;
  return difference === 0;
}
