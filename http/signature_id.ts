/**
 * The ids of signed requests, which bind headers, route and content type to the signature.
 *
 * Standard Webhooks signs an id, a time and the body, but no HTTP header, path or content type.
 * Atlast's senders bind these through the id:
 *
 * - A request with one message in its HTTP headers and body has `atlast_msg_` and the base64url SHA-256 of
 *   its canonical headers: a line `audience:…\n`, then a line `name:value\n` for `content-type` and each
 *   `cap-` and `atlast-` header, names in lower case, in the order of their names.
 * - A request with all its data in the body has the prefix of its content type (`atlast_batch_` and
 *   so on), the base64url SHA-256 of its audience, `_`, and an id of its own.
 *
 * Any other id comes from a foreign service that signs with a library of Standard Webhooks. Its
 * request must have all its data in the body, a JSON object with `"audience"`.
 *
 * The audience is the name of the route (`deliver`, `half`), with the name of the service before it
 * if the sender names one (`inventory/deliver`). So a request is valid at one route only.
 *
 * @module
 */
import { type AllowedText, checkText } from "../core/check_text.ts";
import { isObject, parsed } from "../core/json.ts";
import type { HeaderReader } from "../core/ports/platform.ts";
import { isSignedHeader, requestPrefix, toBase64 } from "../core/wire/wire.ts";

/** The prefix of Atlast's ids. Foreign ids with it are refused. */
const OWN = "atlast_";
const MESSAGE_PREFIX = `${OWN}msg_`;

/**
 * Routes whose requests have no data in headers, so that a JSON body with the audience is enough to
 * sign.
 */
const BODY_ONLY: ReadonlySet<string> = new Set(["tick"]);

/**
 * The audience of a request.
 *
 * @param route The name of the route, such as `deliver`.
 * @param service The name of the service that the request is for; omitted or null for any service
 * that has the key.
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

/** The id of a request with one message in its HTTP headers and body. */
export async function messageRequestId(
  headers: HeaderReader,
  audience: string = "deliver",
): Promise<string> {
  return `${MESSAGE_PREFIX}${await digestText(
    `audience:${audience}\n${canonicalHeaders(headers)}`,
  )}`;
}

/**
 * The id of a request with a batch. It is the same for the same batch, as the standard requires.
 */
export async function batchRequestId(
  body: Uint8Array<ArrayBuffer>,
  audience: string = "deliver",
): Promise<string> {
  return `${OWN}batch_${await digestText(audience)}_${await digest(body)}`;
}

/**
 * A new id for a request with one of Atlast's content types.
 *
 * @param service The name of the service that the request is for; omitted for any service that has
 * the key.
 */
export async function newRequestId(contentType: string, service?: string): Promise<string> {
  const prefix = requestPrefix(contentType) ?? OWN;
  const audience = audienceOf(routeOf(prefix), service);
  return `${prefix}${await digestText(audience)}_${crypto.randomUUID()}`;
}

/**
 * The signed id of the answer to a request. No request can have such an id. It is derived from the
 * body too: the caller chooses the request's id, and a different question with the same id must get
 * a different answer id.
 *
 * @param requestText The body of the request.
 */
export async function answerId(requestId: string, requestText: string): Promise<string> {
  return `${OWN}re_${requestId}_${await digestText(requestText)}`;
}

/** The route for requests with this prefix. */
function routeOf(prefix: string): string {
  const form = prefix.slice(OWN.length, -1);
  return form === "batch" ? "deliver" : form;
}

/**
 * Whether a signed id binds the audience and the headers of its request.
 *
 * @param rawBody The body, which is parsed only for a foreign id.
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

/** The headers of a message that a signature covers, and its content type, as one text. */
export function canonicalHeaders(headers: HeaderReader): string {
  const values = new Map<string, string>();
  headers.forEach((value, name) => {
    if (name === "content-type" || isSignedHeader(name)) values.set(name, value);
  });
  // Names contain no colon and values no line break, so different headers give different texts.
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
