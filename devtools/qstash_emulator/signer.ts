/**
 * Signs deliveries with a JWT, as QStash does.
 *
 * @module
 */
import { sha256, toBase64Url } from "./ids.ts";

/** How long a signature is valid, in seconds. */
const LIFETIME_SECONDS = 300;

/** The content of a signature. */
interface Claims {
  /** The signing key. */
  readonly key: string;
  /** The destination, exactly as it was published. */
  readonly url: string;
  /** The raw body. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** The id of the token. */
  readonly tokenId: string;
  /** When it is signed, in Unix milliseconds. */
  readonly nowMs: number;
  /** Whether `nbf` is 0 or the time of signing. */
  readonly notBefore: "zero" | "issued_at";
}

/** Makes the values of `Upstash-Signature`. */
export class Signer {
  /** Importing a key costs as much as signing, and the key only changes at a rotation. */
  #imported: { readonly text: string; readonly key: Promise<CryptoKey> } | null = null;

  /** Signs a delivery. */
  async sign(claims: Claims): Promise<string> {
    const issuedAt = Math.floor(claims.nowMs / 1000);
    const key = this.#key(claims.key);
    const payload = {
      aud: "",
      body: toBase64Url(await sha256(claims.body)),
      exp: issuedAt + LIFETIME_SECONDS,
      iat: issuedAt,
      iss: "Upstash",
      jti: claims.tokenId,
      nbf: claims.notBefore === "zero" ? 0 : issuedAt,
      sub: claims.url,
    };
    const content = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded(payload)}`;
    const bytes = new TextEncoder().encode(content);
    const signature = await crypto.subtle.sign("HMAC", await key, bytes);
    return `${content}.${unpadded(new Uint8Array(signature))}`;
  }

  #key(text: string): Promise<CryptoKey> {
    if (this.#imported?.text !== text) {
      const bytes = new TextEncoder().encode(text);
      const algorithm = { name: "HMAC", hash: "SHA-256" };
      const key = crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]);
      this.#imported = { text, key };
    }
    return this.#imported.key;
  }
}

function encoded(value: unknown): string {
  return unpadded(new TextEncoder().encode(JSON.stringify(value)));
}

function unpadded(bytes: Uint8Array): string {
  return toBase64Url(bytes).replace(/=+$/, "");
}
