/**
 * The platform's randomness and hashing, replaced while a simulation runs: random bytes come from its seed, and
 * digests are there at once, as those of the platform come from another thread at a time of its own.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { randomFrom } from "../support/random.ts";

/** Runs `work` with randomness from `seed`. One at a time. */
export async function withSeededCrypto<Result>(
  seed: number,
  work: () => Promise<Result>,
): Promise<Result> {
  const random = randomFrom(seed);
  const byte = () => Math.floor(random() * 256);
  const restore = [
    replace(crypto, "getRandomValues", (into: Uint8Array) => {
      for (let i = 0; i < into.length; i++) into[i] = byte();
      return into;
    }),
    replace(crypto, "randomUUID", () => {
      const hex = Array.from({ length: 16 }, () => byte().toString(16).padStart(2, "0")).join("");
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    }),
    replace(crypto.subtle, "digest", (algorithm: string, data: Uint8Array) => {
      const { buffer, byteOffset, byteLength } = createHash(algorithm.replace("-", ""))
        .update(data).digest();
      return Promise.resolve(buffer.slice(byteOffset, byteOffset + byteLength));
    }),
  ];
  try {
    return await work();
  } finally {
    for (const undo of restore) undo();
  }
}

/** Puts something in the place of a method; the returned function takes it away again. */
function replace(target: object, method: string, stand: unknown): () => void {
  Object.defineProperty(target, method, { value: stand, configurable: true, writable: true });
  return () => void Reflect.deleteProperty(target, method);
}
