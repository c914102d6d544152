/**
 * Recognises errors of other copies of the library: a program may have two, such as one of its own and one that a
 * package brings along, or one as ESM and one in a bundle.
 *
 * Each class of error marks its prototype with a symbol that all copies share, and `instanceof` looks for it.
 *
 * @module
 */

/** Marks a class of errors; its subclasses inherit the mark. */
export function markKind(kind: { readonly prototype: object }, name: string): void {
  Object.defineProperty(kind.prototype, symbolOf(name), { value: true });
}

/**
 * The result of `value instanceof type`.
 *
 * @param type The class on the right side: `kind`, or a class that a user made from it.
 * @param kind The class that was marked with this name.
 */
export function isKind(type: unknown, kind: unknown, name: string, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (type !== kind) {
    const { prototype } = type as { readonly prototype: object };
    return Object.prototype.isPrototypeOf.call(prototype, value);
  }
  return (value as Readonly<Record<symbol, unknown>>)[symbolOf(name)] === true;
}

function symbolOf(name: string): symbol {
  return Symbol.for(`atlast.error.${name}`);
}
