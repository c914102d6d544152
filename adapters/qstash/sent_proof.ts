/**
 * Proves that this service sent a message: a MAC over it in the URL of its failure callback, which QStash
 * signs. No other service can make one.
 *
 * @module
 */
import { wireHeaders } from "../../core/message/headers.ts";
import { KeyRing } from "../../http/signing_key.ts";
import type { Message } from "../../core/message/message.ts";
import { fromBase64, toBase64 } from "../../core/wire/base64.ts";

/** Makes and checks proofs. */
export class SentProof {
  readonly #secrets: readonly Uint8Array<ArrayBuffer>[];
  #imported: readonly CryptoKey[] | undefined;

  /**
   * Takes the keys, the current one first, or else the token of QStash.
   *
   * @throws {AtlastError} `invalid_option`, which shows no key.
   */
  constructor(keys: readonly string[] | undefined, token: string | undefined) {
    if (keys !== undefined) {
      // Checks them.
      new KeyRing(keys);
      this.#secrets = keys.map((key) => fromBase64(key.replace(/^whsec_/, ""))!);
    } else this.#secrets = token === undefined ? [] : [new TextEncoder().encode(token)];
  }

  /** The proof of a message; null without a key. */
  async of(message: Message): Promise<string | null> {
    const [key] = await this.#keys();
    if (key === undefined) return null;
    const mac = await crypto.subtle.sign("HMAC", key, await contentOf(message));
    return toBase64(new Uint8Array(mac)).replace(/=+$/, "").replaceAll("+", "-").replaceAll(
      "/",
      "_",
    );
  }

  /** Whether a proof belongs to this message. */
  async matches(message: Message, proof: string): Promise<boolean> {
    const mac = fromBase64(`${proof.replaceAll("-", "+").replaceAll("_", "/")}=`);
    if (mac === null) return false;
    const content = await contentOf(message);
    for (const key of await this.#keys()) {
      if (await crypto.subtle.verify("HMAC", key, mac, content)) return true;
    }
    return false;
  }

  async #keys(): Promise<readonly CryptoKey[]> {
    this.#imported ??= await Promise.all(
      this.#secrets.map((secret) =>
        crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, [
          "sign",
          "verify",
        ])
      ),
    );
    return this.#imported;
  }
}

/** The whole content of a message, in a form that differs for different messages. */
async function contentOf(message: Message): Promise<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  const { body, contentType } = message;
  const bytes = typeof body === "string" ? encoder.encode(body) : new Uint8Array(body);
  const digest = toBase64(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
  const headers = Object.entries(wireHeaders(message)).sort(([a], [b]) => a < b ? -1 : 1);
  return encoder.encode(`atlast-sent\n${JSON.stringify([headers, contentType, digest])}`);
}
