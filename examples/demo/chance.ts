/**
 * Chance that repeats: numbers drawn from a seed and from what they are drawn for, so that no order of
 * events changes them.
 *
 * @module
 */

/** A number in [0, 1) for a seed and the things it is drawn for. */
export function chance(seed: number, ...drawnFor: readonly (string | number)[]): number {
  // FNV-1a over the text, then MurmurHash3's finish, which spreads what differs in one character.
  let hash = 0x811c9dc5 ^ seed;
  for (const char of drawnFor.join("/")) {
    hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
