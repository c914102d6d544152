/**
 * The error answers of the API.
 *
 * @module
 */

/** A refused request; the message is QStash's `error`. */
export class Refusal extends Error {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "Refusal";
  /** The HTTP status. */
  readonly status: number;

  /** Makes a refusal. */
  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

/** QStash's answer for an unknown token. */
export const INVALID_TOKEN = "unable to authenticate: invalid token";

/** QStash's answer for a destination that is neither a URL nor a URL group. */
export const INVALID_SCHEME =
  "invalid destination url: endpoint has invalid scheme, add http:// or https://";

/** QStash's answer for a deduplication id with a colon. */
export const COLON_IN_DEDUPLICATION_ID = "DeduplicationId cannot contain ':'";

/** The answer to requests of workflows, which need a service of their own. */
export const NO_WORKFLOWS = "workflows are not supported by this emulator";

/** The answer for a cursor that no earlier answer had. */
export const INVALID_CURSOR = "invalid cursor: want one of an earlier answer";

/** A name that QStash accepts for a queue, a URL group or a schedule. */
const NAME = /^[A-Za-z0-9._-]{1,256}$/;

/** Checks the name of a queue, a URL group or a schedule. */
export function checkedName(what: string, name: unknown): string {
  if (typeof name === "string" && NAME.test(name)) return name;
  throw new Refusal(
    400,
    `invalid ${what}: want alphanumeric characters, hyphens, underscores and periods`,
  );
}

/** A JSON answer. */
export function json(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "content-type": "application/json" },
  });
}

/** An answer without a body, which the client does not read. */
export function done(): Response {
  return new Response(null, { status: 200 });
}
