/**
 * The ids of signed requests: what the signature covers beside the time and the body.
 *
 * Standard Webhooks signs an id, a time and the body. It signs no HTTP header, no path and not the content
 * type, so Atlast's own senders bind these through the id:
 *
 * - A request with one message in its HTTP headers and body has `atlast_msg_` and the base64url SHA-256 of
 *   its canonical headers: a line `audience:…\n`, then a line `name:value\n` for `content-type` and each
 *   `cap-` and `atlast-` header, names in lower case, in the order of their names.
 * - A request whose body says everything has the prefix of its content type (`atlast_batch_` and so on), the
 *   base64url SHA-256 of its audience, `_`, and an id of its own.
 *
 * Any other id is that of a foreign service that signs with a library of Standard Webhooks. It says the
 * audience in its body, a JSON object with `"audience"`, in one of the forms whose body says everything.
 *
 * The audience is the name of the route (`deliver`, `half`), after the name of a service and a slash where
 * the sender names one (`inventory/deliver`). So a request passes at no other route.
 *
 * @module
 */
import { type AllowedText, checkText } from "../core/check_text.ts";
import { isObject, parsed } from "../core/json.ts";
import type { HeaderReader } from "../core/ports/platform.ts";
import { isSignedHeader, requestPrefix, toBase64 } from "../core/wire/wire.ts";

/** How every id of Atlast's own begins; a foreign id that does is refused. */
const OWN = "atlast_";
const MESSAGE_PREFIX = `${OWN}msg_`;

/** Routes whose requests say nothing in their headers: JSON with the audience is all there is to sign. */
const BODY_ONLY: ReadonlySet<string> = new Set(["tick"]);

/**
 * The audience of a request.
 *
 * @param route The name of the route, such as `deliver`.
 * @param service The name of the service it is meant for; not given, or null, for any that has the key.
 */
export function audienceOf(route: string, service?: string | null): string {
  return service === undefined || service === null ? route : `${service}/${route}`;
}

const AUDIENCE: AllowedText = {
  pattern: /^[\x21-\x7e]{1,200}$/,
  words: "1 to 200 printable ASCII characters",
};

/**
 * Checks the name of a service in an audience.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkAudience(service: string): string {
  return checkText("an audience", service, AUDIENCE);
}

/** The id of a request that carries one message in its HTTP headers and body. */
export async function messageRequestId(
  headers: HeaderReader,
  audience: string = "deliver",
): Promise<string> {
  return `${MESSAGE_PREFIX}${await digestText(
    `audience:${audience}\n${canonicalHeaders(headers)}`,
  )}`;
}

/** The id of a request that carries a batch: the same for the same batch, as the standard asks. */
export async function batchRequestId(
  body: Uint8Array<ArrayBuffer>,
  audience: string = "deliver",
): Promise<string> {
  return `${OWN}batch_${await digestText(audience)}_${await digest(body)}`;
}

/**
 * The id of a request of one of Atlast's own content types; another one each time.
 *
 * @param service The name of the service it is meant for; not given for any that has the key.
 */
export async function newRequestId(contentType: string, service?: string): Promise<string> {
  const prefix = requestPrefix(contentType) ?? OWN;
  const audience = audienceOf(routeOf(prefix), service);
  return `${prefix}${await digestText(audience)}_${crypto.randomUUID()}`;
}

/**
 * The signed id of the answer to a request: never one that a request could have. It is made of the body too,
 * because whoever may ask chooses the id: the same one on another question gets the id of another answer.
 *
 * @param requestText The body of the request.
 */
export async function answerId(requestId: string, requestText: string): Promise<string> {
  return `${OWN}re_${requestId}_${await digestText(requestText)}`;
}

/** The route that takes requests with this prefix. */
function routeOf(prefix: string): string {
  const form = prefix.slice(OWN.length, -1);
  return form === "batch" ? "deliver" : form;
}

/**
 * Whether a signed id stands for the audience and the headers of its request.
 *
 * @param rawBody The body, which is read where the id is a foreign one.
 */
export async function bindsRequest(
  id: string,
  headers: HeaderReader,
  rawBody: Uint8Array,
  route: string,
  audiences: readonly string[],
): Promise<boolean> {
  const prefix = requestPrefix(headers.get("content-type"));
  if (!id.startsWith(OWN)) {
    return (prefix !== null || BODY_ONLY.has(route)) &&
      audiences.includes(audienceIn(rawBody) ?? "");
  }
  for (const audience of audiences) {
    const isBound = prefix === null
      ? id === await messageRequestId(headers, audience)
      : id.startsWith(`${prefix}${await digestText(audience)}_`);
    if (isBound) return true;
  }
  return false;
}

/** The headers of a message that a signature binds, and its content type, as one text. */
export function canonicalHeaders(headers: HeaderReader): string {
  const values = new Map<string, string>();
  headers.forEach((value, name) => {
    if (name === "content-type" || isSignedHeader(name)) values.set(name, value);
  });
  // No name holds a colon and no value a line break, so no two lists come out the same.
  return [...values.keys()].sort().map((name) => `${name}:${values.get(name)}\n`).join("");
}

/** The base64url SHA-256 of a text. */
export function digestText(text: string): Promise<string> {
  return digest(new TextEncoder().encode(text));
}

function audienceIn(rawBody: Uint8Array): string | null {
  const body = parsed(new TextDecoder().decode(rawBody));
  return isObject(body) && typeof body["audience"] === "string" ? body["audience"] : null;
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return toBase64(hash).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
}
