/**
 * Signing keys in the form of Standard Webhooks: base64, with an optional prefix `whsec_`.
 *
 * @module
 */
import { AtlastError } from "../core/errors.ts";
import { fromBase64, toBase64 } from "../core/wire/base64.ts";

/** Key lengths of the Standard Webhooks specification, in bytes. */
const MIN_KEY_BYTES = 24;
const MAX_KEY_BYTES = 64;

/**
 * The most keys at once. A rotation needs two. Each key adds a signature to make and check, and
 * about this many signatures fit in a header.
 */
export const MAX_KEYS = 8;

/** A key of Web Crypto. Not every environment with Web Crypto has a global type for it. */
type ImportedKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** Signing keys, imported into Web Crypto on first use. */
export class KeyRing {
  readonly #keys: readonly Uint8Array<ArrayBuffer>[];
  #imported: readonly ImportedKey[] | undefined;

  /**
   * Reads the keys.
   *
   * @throws {AtlastError} `invalid_option`, which never shows any part of a key.
   */
  constructor(signingKeys: readonly string[]) {
    if (
      !Array.isArray(signingKeys) || signingKeys.length === 0 || signingKeys.length > MAX_KEYS
    ) {
      throw new AtlastError(
        "invalid_option",
        `Cannot use signingKeys: want a list of 1 to ${MAX_KEYS} keys, the current one first`,
      );
    }
    this.#keys = signingKeys.map(keyBytes);
  }

  /** Whether another ring has one of these keys. */
  sharesKeyWith(other: KeyRing): boolean {
    const own = new Set(this.#keys.map(toBase64));
    return other.#keys.some((key) => own.has(toBase64(key)));
  }

  /**
   * The imported keys. They are not imported in the constructor, because Workers allow no such work
   * outside a request. The keys are cached and not the promise, because a Worker's request must not
   * wait for another request's promise.
   */
  async imported(): Promise<readonly ImportedKey[]> {
    this.#imported ??= await Promise.all(
      this.#keys.map((bytes) =>
        crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, [
          "sign",
          "verify",
        ])
      ),
    );
    return this.#imported;
  }
}

function keyBytes(key: string, i: number): Uint8Array<ArrayBuffer> {
  const bytes = typeof key === "string" ? fromBase64(key.replace(/^whsec_/, "")) : null;
  if (bytes === null || bytes.length < MIN_KEY_BYTES || bytes.length > MAX_KEY_BYTES) {
    const got = bytes === null ? "text that is no base64" : `${bytes.length} bytes`;
    throw new AtlastError(
      "invalid_option",
      `Cannot use signingKeys[${i}]: got ${got}, want ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes ` +
        `in base64, with or without "whsec_" before it`,
    );
  }
  return bytes;
}
