/**
 * Who may deliver: the signature QStash puts on every request, checked with the platform's cryptography
 * alone, so that whoever imports this brings along no client.
 *
 * The signature is a JSON Web Token (RFC 7519) in the header `Upstash-Signature`, an HMAC-SHA-256 of claims
 * that name the URL and the SHA-256 of the body's bytes. It covers no other header.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { checkedUrl } from "../../core/http/checked_url.ts";
import { isObject, parsed } from "../../core/json.ts";
import type { Clock } from "../../core/platform.ts";
import type { Principal } from "../../core/principal.ts";
import { fromBase64, type RequestToVerify, type Verify } from "../../core/wire.ts";

export type { Clock } from "../../core/platform.ts";
export type { HeaderReader, RequestToVerify, Verify, VerifyResult } from "../../core/wire.ts";

/** What {@linkcode verifyQstash} takes. */
export interface VerifyQstashOptions {
  /** The current signing key, from the QStash console. */
  readonly currentSigningKey: string;
  /** The next one, which QStash signs with once the keys are rotated. */
  readonly nextSigningKey: string;
  /**
   * The public URL that QStash was told to deliver to: that of the route, or what comes before the path
   * that this service sees in its requests, so that one verifier serves all routes. It is compared with
   * the URL that was signed, because a proxy may have changed the one in the request. Not given, what
   * was signed for another service with the same keys is accepted too.
   */
  readonly url?: string | URL;
  /** How far QStash's clock may be from this one, in seconds, both ways; 10 if not given. */
  readonly clockToleranceS?: number;
  /** Where the time is from; the system's clock if not given. */
  readonly clock?: Pick<Clock, "now">;
}

/** The default of {@linkcode VerifyQstashOptions.clockToleranceS}. */
export const DEFAULT_CLOCK_TOLERANCE_S = 10;

/** A longer one is none of QStash's, whose tokens have some 400 characters and the URL. */
const MAX_TOKEN_LENGTH = 8 * 1024;

/**
 * A verifier that accepts what QStash signed with either key, for this URL and this very body.
 *
 * A request that is sent again before its token ends (five minutes) passes again: the inbox knows its
 * message by its id.
 *
 * @example
 * ```ts ignore
 * const app = createApp(bus, {
 *   verify: verifyQstash({ currentSigningKey, nextSigningKey, url: "https://orders.example" }),
 * });
 * ```
 * @throws {AtlastError} `invalid_option`, which never shows any part of a key.
 */
export function verifyQstash(options: VerifyQstashOptions): Verify {
  const { clockToleranceS = DEFAULT_CLOCK_TOLERANCE_S, clock = { now: () => Date.now() } } =
    options;
  const keys = [
    keyBytes("currentSigningKey", options.currentSigningKey),
    keyBytes("nextSigningKey", options.nextSigningKey),
  ];
  const url = options.url === undefined ? null : checkedUrl(options.url, "the option url");
  if (!(clockToleranceS >= 0 && clockToleranceS <= 3600)) {
    throw new AtlastError(
      "invalid_option",
      `Cannot verify with clockToleranceS ${clockToleranceS}: want seconds from 0 to 3600`,
    );
  }
  // Kept and not the promise of them, because a Worker's request must not wait for what another has begun.
  let imported: readonly CryptoKey[] | undefined;
  return async (request, rawBody) => {
    imported ??= await Promise.all(keys.map(importKey));
    const problem = await problemOf(request, rawBody, {
      keys: imported,
      url,
      nowS: clock.now() / 1000,
      clockToleranceS,
    });
    return problem === null ? { ok: true, principal: QSTASH } : {
      ok: false,
      kind: "unauthenticated",
      reason: `Cannot accept the upstash-signature: ${problem}`,
    };
  };
}

const QSTASH: Principal = { name: "qstash", kind: "push_provider", callbackNames: ["#"] };

interface Conditions {
  readonly keys: readonly CryptoKey[];
  readonly url: string | null;
  readonly nowS: number;
  readonly clockToleranceS: number;
}

async function problemOf(
  request: RequestToVerify,
  rawBody: Uint8Array,
  conditions: Conditions,
): Promise<string | null> {
  const token = request.headers.get("upstash-signature") ?? "";
  if (token === "") return "there is none";
  const parts = token.length > MAX_TOKEN_LENGTH ? [] : token.split(".");
  const [header, claims, signature] = parts.map(fromBase64Url);
  if (parts.length !== 3 || !header || !claims || !signature) return "it is no token";
  // Pinned: what chooses how a token is checked must not be the token.
  if (jsonOf(header)?.["alg"] !== "HS256") return "its algorithm is not HS256";
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
  if (!await matchesAny(conditions.keys, signature, signed)) return "no key here made it";
  return await problemOfClaims(jsonOf(claims) ?? {}, request, rawBody, conditions);
}

async function problemOfClaims(
  claims: Record<string, unknown>,
  request: RequestToVerify,
  rawBody: Uint8Array,
  { url, nowS, clockToleranceS }: Conditions,
): Promise<string | null> {
  const { iss, sub, exp, nbf = 0, body } = claims;
  if (iss !== "Upstash") return "its issuer is not Upstash";
  if (typeof exp !== "number" || !(exp + clockToleranceS > nowS)) return "it has expired";
  if (typeof nbf !== "number" || !(nbf - clockToleranceS <= nowS)) return "it is not valid yet";
  if (url !== null && !(typeof sub === "string" && isFor(sub, url, request))) {
    return "it is for another URL";
  }
  const claimed = typeof body === "string" ? fromBase64Url(body.replace(/={1,2}$/, "")) : null;
  if (claimed === null) return "it says nothing of the body";
  // A copy, because the bytes may be a view of a buffer that is shared.
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(rawBody)));
  return isSame(claimed, digest) ? null : "it is for another body";
}

/** Whether a URL that was signed is the one that is configured, alone or with the request's path. */
function isFor(signed: string, url: string, request: RequestToVerify): boolean {
  if (!URL.canParse(signed) || !URL.canParse(request.url)) return false;
  const { href } = new URL(signed);
  const { pathname, search } = new URL(request.url);
  return href === url || href === url.replace(/\/$/, "") + pathname + search;
}

async function matchesAny(
  keys: readonly CryptoKey[],
  signature: Uint8Array<ArrayBuffer>,
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  // The platform's own comparison takes the same time wherever the first difference is.
  const matches = await Promise.all(
    keys.map((key) => crypto.subtle.verify("HMAC", key, signature, signed)),
  );
  return matches.includes(true);
}

/** Compares in the same time wherever the first difference is. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a[i] ?? 0) ^ b[i]!;
  return difference === 0;
}

/** Reads base64url without its padding (RFC 4648, section 5); null for anything else. */
function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[\w-]+$/.test(text)) return null;
  const padding = "=".repeat((4 - text.length % 4) % 4);
  return fromBase64(text.replaceAll("-", "+").replaceAll("_", "/") + padding);
}

function jsonOf(bytes: Uint8Array): Record<string, unknown> | null {
  const value = parsed(new TextDecoder().decode(bytes));
  return isObject(value) ? value : null;
}

function keyBytes(option: string, key: string): Uint8Array<ArrayBuffer> {
  if (typeof key === "string" && key.trim() === key && key !== "") {
    return new TextEncoder().encode(key);
  }
  throw new AtlastError(
    "invalid_option",
    `Cannot verify with ${option}: want the key as the QStash console shows it, both of them`,
  );
}

function importKey(bytes: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, [
    "verify",
  ]);
}
