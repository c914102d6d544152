/**
 * Answers of the API that refuse something.
 *
 * @module
 */

/** A request that is refused; the text is what QStash answers as `error`. */
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

/** What QStash answers for a token that it does not know. */
export const INVALID_TOKEN = "unable to authenticate: invalid token";

/** What QStash answers for a destination that is no URL and no URL group. */
export const INVALID_SCHEME =
  "invalid destination url: endpoint has invalid scheme, add http:// or https://";

/** What QStash answers for a deduplication id with a colon. */
export const COLON_IN_DEDUPLICATION_ID = "DeduplicationId cannot contain ':'";

/** A name that QStash takes for a queue, a URL group or a schedule. */
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

/** An answer without a body: what the client does not read. */
export function done(): Response {
  return new Response(null, { status: 200 });
}
