/**
 * A verifier of bearer tokens, for callers that cannot sign, such as a platform's cron service.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { aPrincipal, type Principal } from "../../core/principal.ts";
import type { RequestToVerify, Verify, VerifyRefusal } from "../../core/wire/wire.ts";

/** The shortest token, in characters. Shorter ones can be guessed over a network. */
const MIN_TOKEN_LENGTH = 16;

/** The default principal of a token. */
const TOKEN_BEARER: Principal = { name: "bearer", kind: "publisher" };

/**
 * Creates a verifier that accepts any of the tokens in `Authorization: Bearer …`. For example,
 * Vercel's cron sends the environment's `CRON_SECRET`. A token authenticates the caller, but does
 * not protect the body: prefer signatures for messages.
 *
 * @param tokens One token, or several so that they can be rotated without a gap.
 * @param principal The principal that has the tokens; by default `{ name: "bearer", kind:
 * "publisher" }`, which may not request callbacks.
 * @throws {AtlastError} `invalid_option` if there is no token, or one is too short or not a string.
 */
export function verifyBearer(
  tokens: string | readonly string[],
  principal: Principal = TOKEN_BEARER,
): Verify {
  aPrincipal("principal", principal, "verify bearer tokens with");
  const accepted: readonly string[] = Array.isArray(tokens) ? [...tokens] : [tokens as string];
  if (accepted.length === 0 || tokens === undefined || tokens === null) throw unfit("no token");
  for (const token of accepted) {
    if (typeof token !== "string") throw unfit("a token that is no text");
    if (token.length < MIN_TOKEN_LENGTH) throw unfit(`one of ${token.length} characters`);
  }
  const refusalOf = async ({ headers }: RequestToVerify): Promise<VerifyRefusal | null> => {
    const given = /^Bearer +([^\s]+)$/i.exec(headers.get("authorization") ?? "")?.[1];
    if (given !== undefined && await isOneOf(given, accepted)) return null;
    return {
      ok: false,
      kind: "unauthenticated",
      reason: "Cannot accept the authorization: want a bearer token that is known here",
    };
  };
  const verify: Verify = async (request) => await refusalOf(request) ?? { ok: true, principal };
  return Object.assign(verify, { beforeBody: refusalOf });
}

/**
 * Compares tokens in constant time: it signs the given one with a random HMAC key and lets the
 * platform verify that MAC for each accepted token.
 */
async function isOneOf(given: string, accepted: readonly string[]): Promise<boolean> {
  const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
    "verify",
  ]);
  const encoder = new TextEncoder();
  const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(given));
  const matches = await Promise.all(
    accepted.map((token) => crypto.subtle.verify("HMAC", key, mac, encoder.encode(token))),
  );
  return matches.includes(true);
}

function unfit(got: string): AtlastError {
  return new AtlastError(
    "invalid_option",
    `Cannot verify bearer tokens: got ${got}, want each to have ${MIN_TOKEN_LENGTH} characters or more`,
  );
}
