/**
 * The keys of streams.
 *
 * @module
 */

/** Makes a key from its parts, such as `{atlast}:stream:order.placed`. */
export type Keys = (...parts: readonly string[]) => string;

/** The keys that begin with `base`. */
export function keysUnder(base: string): Keys {
  return (...parts) => base + parts.join(":");
}

/** The stream of a name. */
export function streamKey(keys: Keys, name: string): string {
  return keys("stream", name);
}

/** The stream of requeued messages of one group; the other groups have already read them. */
export function requeuedKey(keys: Keys, group: string): string {
  return keys("requeued", group);
}

/** The set of all names that have a stream. */
export function namesKey(keys: Keys): string {
  return keys("names");
}
