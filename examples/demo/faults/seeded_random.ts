/**
 * Random numbers that repeat: each is computed from a seed and from what it is for, so that the order of
 * events does not change it.
 *
 * @module
 */

/** A number in [0, 1) for a seed and what it is for. */
export function seededRandom(seed: number, ...drawnFor: readonly (string | number)[]): number {
  // FNV-1a over the text, then MurmurHash3's finish, which spreads small differences.
  let hash = 0x811c9dc5 ^ seed;
  for (const char of drawnFor.join("/")) {
    hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
