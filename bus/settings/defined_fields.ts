/**
 * Options in which fields may be `undefined`.
 *
 * @module
 */

/** Without the fields that are `undefined`, which would replace the defaults. */
export function definedOf<Policy extends object>(policy: Policy | undefined): Partial<Policy> {
  const fields = Object.entries(policy ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(fields) as Partial<Policy>;
}
