/**
 * The headers of a message on the wire. They are CAP's, so that CAP services in other languages interoperate.
 *
 * We write what CAP documents, with times in UTC ISO 8601. We also read what others write: missing optional
 * headers, null values, names in any case, CAP's local time format.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import { checkId, withText } from "./id.ts";
import {
  JSON_CONTENT_TYPE,
  type Message,
  type MessageBody,
  type MessageHeaders,
} from "./message.ts";
import { checkName } from "./name.ts";

/** The headers that Atlast uses, by their meaning. */
export const HEADER = {
  /** The message's id. */
  id: "cap-msg-id",
  /** The message's name. */
  name: "cap-msg-name",
  /** The body's type, for receivers that choose a deserialiser by it. Atlast never reads it. */
  type: "cap-msg-type",
  /** When it was published. */
  sentTime: "cap-senttime",
  /** The id of the message this one answers; its own id when it answers none. */
  correlationId: "cap-corr-id",
  /** The position in a chain of answers; 0 for a message that answers none. */
  correlationSequence: "cap-corr-seq",
  /** The name under which the handler's return value is published. */
  callbackName: "cap-callback-name",
  /** The delay before delivery, in milliseconds. */
  delayTime: "cap-delaytime",
  /** Why it failed, on a failure callback. */
  exception: "cap-exception",
  /** The group that answers, on a callback. */
  group: "cap-msg-group",
  /** W3C trace context. */
  traceparent: "traceparent",
  /** The name of the failure callback. Atlast's own. */
  failureCallbackName: "atlast-failure-callback-name",
  /** On an answer: the service that answers; its id is derived from it. Atlast's own. */
  responder: "atlast-responder",
  /** On an answer: the round of its request, by default 1. Atlast's own. */
  round: "atlast-round",
  /** On the failure callback of a conflict of ids: the digest of the message it is about. Atlast's own. */
  content: "atlast-content",
  /** `true` on what follows a failure callback for the same message. Atlast's own. */
  afterFailure: "atlast-after-failure",
  /** The participant of a half message; omitted for one of the keeper itself. Atlast's own. */
  participant: "atlast-participant",
  /** The URL that a best-effort notification goes to, instead of the route of its name. Atlast's own. */
  destination: "atlast-destination",
  /** After which it must not be handled, by the sender's clock. For transports that queue it. Atlast's own. */
  deadline: "atlast-deadline",
  /** How long it may be handled from its arrival, in milliseconds. For transports that do not. Atlast's own. */
  timeLeft: "atlast-time-left",
  /** When the first attempt to send the message that may have arrived began. Atlast's own. */
  firstAttempt: "atlast-first-attempt",
  /** In the raw form over HTTP: the headers that HTTP does not preserve, as JSON in base64. Atlast's own. */
  others: "atlast-headers",
  /** `true` if an operator wants the message accepted although its id may be pruned. Atlast's own. */
  forced: "atlast-forced",
} as const;

/**
 * The most headers of a message. {@linkcode MAX_HEADER_CHARACTERS} is the most characters in all of
 * them: half of the 16 KiB that Node's HTTP server accepts, which leaves the rest to proxies.
 */
export const MAX_HEADERS = 64;
/** See {@linkcode MAX_HEADERS}. */
export const MAX_HEADER_CHARACTERS: number = 8 * 1024;

/** Headers that are fields of a {@linkcode Message}, and are not among its `headers`. */
const FIELDS: ReadonlySet<string> = new Set([
  HEADER.id,
  HEADER.name,
  HEADER.sentTime,
  HEADER.firstAttempt,
  HEADER.forced,
  HEADER.deadline,
  HEADER.timeLeft,
  "content-type",
]);

/**
 * Checks and copies a caller's headers: names in lower case, without fields of the message and
 * `undefined` values. The caller's object is not changed.
 *
 * @throws {AtlastError} `invalid_header` or `too_large`, with the name of the header but never its
 * value.
 */
export function normalizeHeaders(headers: Readonly<Record<string, unknown>>): MessageHeaders {
  // Entries, because assigning to a header named __proto__ would lose it.
  const kept: [string, string][] = [];
  let characters = 0;
  for (const [anyCase, value] of Object.entries(headers)) {
    if (value === undefined || value === null) continue;
    const name = anyCase.toLowerCase();
    if (FIELDS.has(name)) continue;
    // The characters of an HTTP field name (RFC 9110, section 5.6.2).
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(name)) {
      throw new AtlastError(
        "invalid_header",
        `Cannot use header name ${JSON.stringify(anyCase.slice(0, 60))}: want an HTTP field name`,
      );
    }
    const text = typeof value === "string" ? value : undefined;
    // deno-lint-ignore no-control-regex -- control characters are just what must not pass: they split requests.
    if (text === undefined || /[\u0000-\u001f\u007f]/.test(text) || !isWellFormed(text)) {
      throw new AtlastError(
        "invalid_header",
        `Cannot use the value of header "${name}": want text without control characters`,
      );
    }
    kept.push([name, text]);
    characters += name.length + text.length;
  }
  if (kept.length > MAX_HEADERS || characters > MAX_HEADER_CHARACTERS) {
    throw new AtlastError(
      "too_large",
      `Cannot accept ${kept.length} headers of ${characters} characters: want ${MAX_HEADERS} of ` +
        `${MAX_HEADER_CHARACTERS} in all at most`,
    );
  }
  return Object.fromEntries(kept);
}

/** Every header of a message on the wire, except the content type. */
export function wireHeaders(message: Message): Record<string, string> {
  const headers: Record<string, string> = {
    [HEADER.id]: message.id,
    [HEADER.name]: message.name,
    [HEADER.sentTime]: new Date(message.sentAtMs).toISOString(),
    [HEADER.correlationId]: message.id,
    [HEADER.correlationSequence]: "0",
    ...message.headers,
  };
  if (message.firstAttemptAtMs !== undefined) {
    headers[HEADER.firstAttempt] = new Date(message.firstAttemptAtMs).toISOString();
  }
  if (message.isForced === true) headers[HEADER.forced] = "true";
  const { deadlineMs, timeLeftMs } = message;
  if (deadlineMs === undefined) {
    if (timeLeftMs !== undefined) headers[HEADER.timeLeft] = String(Math.floor(timeLeftMs));
  } else if (deadlineMs < YEAR_10000_MS) {
    headers[HEADER.deadline] = new Date(deadlineMs).toISOString();
  }
  return headers;
}

/** Later deadlines are none, as ISO 8601 has no form for them that all readers know. */
const YEAR_10000_MS = 253_402_300_800_000;

/**
 * Reads a message from the wire.
 *
 * @param headers Any case; null and undefined values count as missing, and whole numbers as text.
 * @param nowMs Used as sending time if that is missing or invalid.
 * @throws {AtlastError} `malformed_message`, `invalid_id`, `invalid_name`, `invalid_header` or
 * `too_large`.
 */
export function messageFromWire(
  headers: Readonly<Record<string, unknown>>,
  body: MessageBody,
  nowMs: number,
): Message {
  const fields = textFields(headers);
  const id = required(fields, HEADER.id);
  const name = required(fields, HEADER.name);
  checkId(id);
  checkName(name);
  const contentType = fields["content-type"];
  const firstAttemptAtMs = parseSentTime(fields[HEADER.firstAttempt]);
  const deadlineMs = parseSentTime(fields[HEADER.deadline]);
  const timeLeftMs = parseDuration(fields[HEADER.timeLeft]);
  return {
    id,
    name,
    headers: normalizeHeaders(fields),
    contentType: typeof contentType === "string" && contentType !== ""
      ? contentType
      : JSON_CONTENT_TYPE,
    body,
    sentAtMs: parseSentTime(fields[HEADER.sentTime]) ?? nowMs,
    ...(firstAttemptAtMs === null ? {} : { firstAttemptAtMs }),
    ...(fields[HEADER.forced] === "true" ? { isForced: true } : {}),
    ...(deadlineMs === null ? {} : { deadlineMs }),
    ...(timeLeftMs === null ? {} : { timeLeftMs }),
  };
}

/** The correlation sequence of a message; 0 if it is missing or invalid. */
export function correlationSequence(message: Message): number {
  const sequence = Number(message.headers[HEADER.correlationSequence] ?? 0);
  return Number.isSafeInteger(sequence) && sequence >= 0 ? sequence : 0;
}

/**
 * Reads ISO 8601, and CAP's `MM/dd/yyyy HH:mm:ss`. A time without a zone counts as UTC, so that the
 * result does not depend on the machine.
 */
function parseSentTime(text: unknown): number | null {
  if (typeof text !== "string") return null;
  const iso = text.replace(
    /^(\d{2})\/(\d{2})\/(\d{4}) (\d{2}:\d{2}:\d{2})$/,
    (_, month, day, year, time) => `${year}-${month}-${day}T${time}`,
  );
  const found = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:\d{2})?$/.exec(
    iso,
  );
  if (found === null) return null;
  const timeMs = Date.parse(`${found[1]}${found[2] ?? "Z"}`);
  return Number.isNaN(timeMs) ? null : timeMs;
}

function parseDuration(text: unknown): number | null {
  return typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/**
 * Headers with names in lower case, without missing values and with whole numbers as text.
 *
 * @throws {AtlastError} `malformed_message` for a number that JSON does not carry exactly.
 */
export function textFields(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([, value]) => value !== null && value !== undefined)
      .map((
        [name, value],
      ) => [name.toLowerCase(), withText(`header "${name.toLowerCase()}"`, value)]),
  );
}

function required(fields: Record<string, unknown>, name: string): string {
  const value = fields[name];
  if (typeof value !== "string" || value === "") {
    throw new AtlastError(
      "malformed_message",
      `Cannot read a message without header "${name}": want one that is not empty`,
    );
  }
  return value;
}

/** Whether text can be encoded, that is, has no lone surrogate. */
function isWellFormed(text: string): boolean {
  return !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}
