/**
 * Verifies the signature on every QStash request with the platform's cryptography alone. It imports no client.
 *
 * The signature is a JSON Web Token (RFC 7519) in the header `Upstash-Signature`, an HMAC-SHA-256 of claims
 * that name the URL and the SHA-256 of the body's bytes. It covers no header. A digest in the URL binds the
 * headers of a message, see {@link ./dialect/binding.ts}.
 *
 * @module
 */
import {
  aList,
  aNumber,
  anything,
  checkOptions,
  type OptionCheck,
  withMethods,
} from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { equalInConstantTime } from "../../http/equal_bytes.ts";
import { isObject, parsed } from "../../core/json.ts";
import { checkPattern } from "../../core/message/name.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { Principal } from "../../core/principal.ts";
import { fromBase64 } from "../../core/wire/base64.ts";
import type { RequestToVerify, Verify, VerifyRefusal } from "../../core/wire/wire.ts";
import { qstashDialect } from "./dialect/dialect.ts";
import { publicUrl, type QstashPublicUrl } from "./public_url.ts";
import { checkUnboundRaw, pushDelivery, type SignedClaims, type UnboundRaw } from "./push.ts";

export type { Clock, HeaderReader } from "../../core/ports/platform.ts";
export type { Principal, PrincipalKind } from "../../core/principal.ts";
export type { PushDelivery } from "../../core/ports/push_delivery.ts";
export type { DeliveryDialect } from "../../core/ports/dialect.ts";
export type { DialectDescription } from "../../core/ports/dialect_description.ts";
export { qstashDescription } from "./dialect/description.ts";
export { qstashDialect } from "./dialect/dialect.ts";
export type { QstashPublicUrl } from "./public_url.ts";
export type { UnboundRaw } from "./push.ts";
export type { RequestToVerify, Verify, VerifyRefusal, VerifyResult } from "../../core/wire/wire.ts";

/** What {@linkcode verifyQstash} takes. */
export interface VerifyQstashOptions {
  /** The current signing key, from the QStash console. */
  readonly currentSigningKey: string;
  /** The next one, which QStash signs with after a rotation of the keys. */
  readonly nextSigningKey: string;
  /**
   * The public URL that QStash delivers to. It is compared with the signed URL, because a proxy may have
   * changed the URL of the request. So a delivery that was signed for one route is refused at every other.
   */
  readonly url: QstashPublicUrl;
  /**
   * Accepts messages of these names from publishers that do not bind their headers, which are all except
   * Atlast's own transport. A captured delivery can be sent again under any of these names, and a retry of
   * QStash's whose first answer was lost is a new message. Such messages have no callbacks.
   *
   * @default none
   */
  readonly acceptUnboundRaw?: UnboundRaw;
  /**
   * The names, or patterns of names, of callbacks that messages with bound headers may ask for. Every owner
   * of the account's token counts as one of your own services.
   *
   * @default any name with a route
   */
  readonly callbackNames?: readonly string[];
  /**
   * How far QStash's clock may be from this one, in seconds, both ways.
   *
   * @default 10
   */
  readonly clockToleranceS?: number;
  /**
   * The source of the time.
   *
   * @default the system's clock
   */
  readonly clock?: Pick<Clock, "now">;
}

/** The default of {@linkcode VerifyQstashOptions.clockToleranceS}. */
export const DEFAULT_CLOCK_TOLERANCE_S = 10;

/** Those that are not checked here are checked where they are read. */
const OPTIONS: Readonly<Record<keyof VerifyQstashOptions, OptionCheck>> = {
  currentSigningKey: anything,
  nextSigningKey: anything,
  url: anything,
  acceptUnboundRaw: anything,
  callbackNames: aList((_option, value) => checkPattern(value as string)),
  clockToleranceS: aNumber({ unit: "seconds", least: 0, most: 3600 }),
  clock: withMethods("now"),
};

/** QStash never sends a longer one: its tokens have about 400 characters and the URL. */
const MAX_TOKEN_LENGTH = 8 * 1024;

/**
 * A verifier that accepts requests that QStash signed with either key, for this URL and this body.
 *
 * A request that is repeated before its token expires (five minutes) is accepted again at the same route. The
 * inbox recognises its message by the id.
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
  checkOptions("verify with", options, OPTIONS);
  const { clockToleranceS = DEFAULT_CLOCK_TOLERANCE_S, clock = { now: () => Date.now() } } =
    options;
  const keys = [
    keyBytes("currentSigningKey", options.currentSigningKey),
    keyBytes("nextSigningKey", options.nextSigningKey),
  ];
  const isForHere = publicUrl(options.url);
  const { acceptUnboundRaw, callbackNames = ["#"] } = options;
  checkUnboundRaw(acceptUnboundRaw);
  // The keys are cached, not their promise, because a Worker's request must not await the work of another
  // request.
  let imported: readonly CryptoKey[] | undefined;
  const verify: Verify = async (request, rawBody) => {
    imported ??= await Promise.all(keys.map(importKey));
    const claims = await claimsOf(request, rawBody, {
      keys: imported,
      isForHere,
      nowS: clock.now() / 1000,
      clockToleranceS,
    });
    if (typeof claims === "string") return refused(claims);
    const push = await pushDelivery(claims, request, acceptUnboundRaw);
    if (push === null) return refused("it was made for other headers");
    const principal: Principal = {
      name: "qstash",
      kind: "push_provider",
      callbackNames: push.bindsHeaders ? callbackNames : [],
    };
    return { ok: true, principal, push, dialect: qstashDialect };
  };
  return Object.assign(verify, {
    dialects: [qstashDialect],
    beforeBody: ({ headers }: RequestToVerify) =>
      (headers.get("upstash-signature") ?? "") === "" ? refused("there is none") : null,
  });
}

function refused(problem: string): VerifyRefusal {
  return {
    ok: false,
    kind: "unauthenticated",
    reason: `Cannot accept the upstash-signature: ${problem}`,
  };
}

interface Conditions {
  readonly keys: readonly CryptoKey[];
  readonly isForHere: ReturnType<typeof publicUrl>;
  readonly nowS: number;
  readonly clockToleranceS: number;
}

/** The claims of the signature, or why it is not valid. */
async function claimsOf(
  request: RequestToVerify,
  rawBody: Uint8Array,
  conditions: Conditions,
): Promise<SignedClaims | string> {
  const token = request.headers.get("upstash-signature") ?? "";
  if (token === "") return "there is none";
  const parts = token.length > MAX_TOKEN_LENGTH ? [] : token.split(".");
  const [header, claims, signature] = parts.map(fromBase64Url);
  if (parts.length !== 3 || !header || !claims || !signature) return "it is no token";
  // The algorithm is fixed: the token must not choose how it is checked.
  if (jsonOf(header)?.["alg"] !== "HS256") return "its algorithm is not HS256";
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
  if (!await matchesAny(conditions.keys, signature, signed)) return "no key here made it";
  return await checkedClaims(jsonOf(claims) ?? {}, request, rawBody, conditions);
}

async function checkedClaims(
  claims: Record<string, unknown>,
  request: RequestToVerify,
  rawBody: Uint8Array,
  { isForHere, nowS, clockToleranceS }: Conditions,
): Promise<SignedClaims | string> {
  const { iss, sub, exp, nbf = 0, iat = 0, jti = "", body } = claims;
  if (iss !== "Upstash") return "its issuer is not Upstash";
  if (typeof exp !== "number" || !(exp + clockToleranceS > nowS)) return "it has expired";
  if (typeof nbf !== "number" || !(nbf - clockToleranceS <= nowS)) return "it is not valid yet";
  if (typeof sub !== "string" || !isForHere(sub, request)) return "it is for another URL";
  if (typeof iat !== "number" || typeof jti !== "string") return "it is not a QStash token";
  const claimed = typeof body === "string" ? fromBase64Url(body.replace(/={1,2}$/, "")) : null;
  if (claimed === null) return "it has no digest of the body";
  // A copy, because the bytes may be a view of a shared buffer.
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(rawBody)));
  if (!equalInConstantTime(claimed, digest)) return "it is for another body";
  return { url: sub, tokenId: jti, signedAtMs: iat * 1000 };
}

async function matchesAny(
  keys: readonly CryptoKey[],
  signature: Uint8Array<ArrayBuffer>,
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  // The comparison takes the same time wherever the first difference is.
  const matches = await Promise.all(
    keys.map((key) => crypto.subtle.verify("HMAC", key, signature, signed)),
  );
  return matches.includes(true);
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
