/**
 * Streams of chance, all from one seed: what draws from one of them does not change the others.
 *
 * @module
 */
import { randomFrom } from "../support/random.ts";

/** Numbers in [0, 1) for one use, the same for the same seed and name. */
export function streamOf(seed: number, name: string): () => number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return randomFrom(hash);
}
