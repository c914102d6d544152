/**
 * Bearer tokens, for callers that cannot sign, such as a platform's cron.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Principal } from "../../core/principal.ts";
import type { RequestToVerify, Verify, VerifyRefusal } from "../../core/wire/wire.ts";

/** The shortest token, in characters: shorter ones can be guessed over a network. */
const MIN_TOKEN_LENGTH = 16;

/** Who has a token, where nothing else is said. */
const TOKEN_BEARER: Principal = { name: "bearer", kind: "publisher" };

/**
 * A verifier that accepts any of the tokens in `Authorization: Bearer …`, as Vercel's cron sends the
 * environment's `CRON_SECRET`. A token says who asks, but does not protect the body: for messages
 * prefer signatures.
 *
 * @param tokens One token, or several so that they can be changed without a gap.
 * @param principal Who has the tokens; `{ name: "bearer", kind: "publisher" }` if not given, who may ask no
 * callbacks.
 * @throws {AtlastError} `invalid_option` for none, or one that is short or not there.
 */
export function verifyBearer(
  tokens: string | readonly string[],
  principal: Principal = TOKEN_BEARER,
): Verify {
  const accepted = typeof tokens === "string" ? [tokens] : [...tokens ?? []];
  if (accepted.length === 0) throw unfit("no token");
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
 * Compares by the platform's verification of a MAC under a key that nobody knows: it takes the same
 * time wherever the first difference is.
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
