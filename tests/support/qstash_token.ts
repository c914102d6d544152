/**
 * Signatures as QStash makes them, by a library that is not ours.
 *
 * @module
 */
import * as jose from "jose";

/** What is special about a token. */
export interface TokenOptions {
  /** Claims that are other than QStash's own. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** What it is signed with. */
  readonly key: string;
  readonly alg?: string;
  /** When it is made, in Unix seconds; now if not given. */
  readonly nowS?: number;
}

/** The token of a request to `url` with this body. */
export async function qstashToken(
  body: Uint8Array,
  url: string,
  { claims = {}, key, alg = "HS256", nowS = Math.floor(Date.now() / 1000) }: TokenOptions,
): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(body));
  const padded = jose.base64url.encode(new Uint8Array(digest)) + "=";
  return await new jose.SignJWT({
    iss: "Upstash",
    sub: url,
    exp: nowS + 300,
    iat: nowS,
    nbf: 0,
    jti: "jwt_1",
    aud: "",
    body: padded,
    ...claims,
  }).setProtectedHeader({ alg, typ: "JWT" }).sign(new TextEncoder().encode(key));
}
