/**
 * What a signature binds besides the id, the time and the body that Standard Webhooks signs: the
 * route, the receiver, the message's headers, and the request of an answer. Senders and receivers
 * use it.
 *
 * A request has one of two forms:
 *
 * - **All its data in the body**, a JSON object. `"audience"` in it says what the request is for. The
 *   id is any that does not begin with `atlast_`, so that any library of Standard Webhooks can sign
 *   and verify it.
 * - **One message in HTTP headers and a raw body.** The body is the user's, so the id binds the rest:
 *   `atlast_msg_` and the base64url SHA-256 of a line `audience:…\n`, then a line `name:value\n` for
 *   `content-type` and each `cap-` and `atlast-` header, names in lower case, in the order of their
 *   names.
 *
 * The id tells the forms apart: a body that a user chose is never read as a request.
 *
 * The audience is the name of the route (`deliver`, `half`), with the name of the service before it
 * if the sender names one (`inventory/deliver`). So a request is valid at one route only.
 *
 * A signed answer is a JSON object too. `"inReplyTo"` in it is the digest of what the request's
 * signature covers, so that it answers one request only.
 *
 * @module
 */
import { type AllowedText, checkText } from "../core/check_text.ts";
import { isObject, parsed } from "../core/json.ts";
import type { HeaderReader } from "../core/ports/platform.ts";
import { toBase64 } from "../core/wire/base64.ts";
import { isBatch, isRequestType, isSignedHeader, routeOf } from "../core/wire/wire.ts";

/** The prefix of ids that bind headers. No request with all its data in the body has it. */
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

/** Whether an id is that of a request with one message in its HTTP headers and body. */
export function bindsHeaders(requestId: string): boolean {
  return requestId.startsWith(MESSAGE_PREFIX);
}

/**
 * The id of a request with messages in its body. It is the same when the same messages are sent
 * again, as the standard requires.
 */
export async function batchRequestId(ids: readonly string[]): Promise<string> {
  return `msg_${await digestText(JSON.stringify(ids))}`;
}

/** The text of a JSON object with a field before the others. Any other text is unchanged. */
export function withField(json: string, name: string, value: string): string {
  if (!json.startsWith("{")) return json;
  const rest = json.slice(1);
  const comma = rest.trim() === "}" ? "" : ",";
  return `{${JSON.stringify(name)}:${JSON.stringify(value)}${comma}${rest}`;
}

/** A new id for a request or an answer with all its data in the body. */
export function newRequestId(): string {
  return `msg_${crypto.randomUUID()}`;
}

/**
 * What an answer says in `inReplyTo`: the SHA-256, in hexadecimal, of what the signature of its
 * request covers. It binds the body too, because the caller chooses the id.
 */
export async function replyReference(headers: HeaderReader, body: string): Promise<string> {
  const [id, timestamp] = ["webhook-id", "webhook-timestamp"].map((name) =>
    headers.get(name) ?? ""
  );
  const content = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether a signed answer is one to the request with this {@linkcode replyReference}. */
export function answersRequest(headers: HeaderReader, body: string, reference: string): boolean {
  if (headers.get("webhook-id")?.startsWith(OWN) !== false) return false;
  const answer = parsed(body);
  return isObject(answer) && answer["inReplyTo"] === reference;
}

/**
 * Why a signed request is not for one of these audiences, or has other headers than it was signed
 * with; null when it is accepted.
 *
 * @param rawBody The body, which is parsed only if it holds the audience.
 */
export async function bindingProblem(
  id: string,
  headers: HeaderReader,
  rawBody: Uint8Array,
  route: string,
  audiences: readonly string[],
): Promise<string | null> {
  const contentType = headers.get("content-type");
  const isOwnType = isRequestType(contentType);
  if (!id.startsWith(OWN)) {
    if (!(isOwnType ? isTypeOf(route, contentType) : BODY_ONLY.has(route))) {
      return "Cannot accept this content type: want the one of this route, with all data in the body";
    }
    if (audiences.includes(audienceIn(rawBody) ?? "")) return null;
    const want = audiences.map((audience) => JSON.stringify(audience)).join(" or ");
    return `Cannot accept the body: want a JSON object with "audience": ${want}`;
  }
  if (!isOwnType) {
    for (const audience of audiences) {
      if (id === await messageRequestId(headers, audience)) return null;
    }
  }
  return "Cannot accept the webhook-id: it does not match the message's headers, or is for another audience";
}

/** Whether a route takes bodies of one of Atlast's own content types. */
function isTypeOf(route: string, contentType: string | null): boolean {
  return routeOf(contentType) === route || BODY_ONLY.has(route) ||
    (route === "publish" && isBatch(contentType));
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
