/**
 * Encodes and decodes message bodies.
 *
 * @module
 */
import { type Schema, valueOf } from "../../core/message/contract.ts";
import { AtlastError } from "../../core/errors.ts";
import {
  BYTES_CONTENT_TYPE,
  isJson,
  isText,
  JSON_CONTENT_TYPE,
  type Message,
  type MessageBody,
} from "../../core/message/message.ts";
import { textOfThrown } from "../../core/user_code/thrown.ts";

/** A body with its content type. */
export interface EncodedBody {
  /** The media type. */
  readonly contentType: string;
  /** The content. */
  readonly body: MessageBody;
}

/** Makes a body of a value and checks it; see {@linkcode encodeBody} and {@linkcode keepBody}. */
export type EncodeBody = typeof encodeBody;

/**
 * Encodes a value and checks it as its receivers will read it: a body that would not survive the
 * journey, such as a `Date` under a schema that wants one, is refused here.
 *
 * @param what What it is, for errors: `body of "order.placed"`.
 * @throws {ContractError} When the schema finds problems.
 */
export function encodeBody(
  schema: Schema | undefined,
  value: unknown,
  contentType: string | undefined,
  what: string,
): EncodedBody | Promise<EncodedBody> {
  return fitting(schema, encode(value, contentType, what), what);
}

/**
 * The same for what is encoded already: it is checked, and kept byte for byte.
 *
 * @throws {ContractError} When the schema finds problems.
 * @throws {AtlastError} `invalid_body` for what is neither text nor bytes.
 */
export function keepBody(
  schema: Schema | undefined,
  value: unknown,
  contentType: string | undefined,
  what: string,
): EncodedBody | Promise<EncodedBody> {
  const isText = typeof value === "string";
  if (!(isText ? value.isWellFormed() : value instanceof Uint8Array)) {
    throw new AtlastError(
      "invalid_body",
      `Cannot keep the ${what} as it is: got ${typeof value}, want well-formed text or bytes`,
    );
  }
  const body: MessageBody = isText ? value : new Uint8Array(value as Uint8Array);
  const type = contentType ?? (isText ? JSON_CONTENT_TYPE : BYTES_CONTENT_TYPE);
  return fitting(schema, { contentType: type, body }, what);
}

/**
 * Decodes a message's body and reads it by a schema.
 *
 * @throws {ContractError} When the schema finds problems.
 * @throws {AtlastError} `invalid_body` when the body is not what its content type says.
 */
export async function decodeBody(schema: Schema, message: Message): Promise<unknown> {
  return await decodeBodySoon(schema, message);
}

/** The same, without a promise where the schema needs none. */
export function decodeBodySoon(schema: Schema, message: Message): unknown {
  return read(schema, message, `body of "${message.name}"`);
}

/** A promise only where the schema needs one: a batch goes several times as fast without. */
function read(schema: Schema, { contentType, body }: EncodedBody, what: string): unknown {
  const result = schema["~standard"].validate(decode(contentType, body, what));
  return isThenable(result)
    ? Promise.resolve(result).then((read) => valueOf(read, what))
    : valueOf(result, what);
}

/** Whether it is a promise, of this realm or of another. */
function isThenable<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

function fitting(
  schema: Schema | undefined,
  encoded: EncodedBody,
  what: string,
): EncodedBody | Promise<EncodedBody> {
  const checked = schema === undefined ? undefined : read(schema, encoded, what);
  return checked instanceof Promise ? checked.then(() => encoded) : encoded;
}

function encode(value: unknown, contentType: string | undefined, what: string): EncodedBody {
  if (value instanceof Uint8Array) {
    // Bytes can be changed: the message keeps those of this moment.
    return { contentType: contentType ?? BYTES_CONTENT_TYPE, body: new Uint8Array(value) };
  }
  if (contentType !== undefined && !isJson(contentType)) {
    if (typeof value === "string" && value.isWellFormed()) return { contentType, body: value };
    throw new AtlastError(
      "invalid_body",
      `Cannot encode the ${what} as ${contentType}: got ${typeof value}, want well-formed text or bytes`,
    );
  }
  return { contentType: contentType ?? JSON_CONTENT_TYPE, body: toJson(value, what) };
}

/** Nothing is the empty body, as in CAP. */
function toJson(value: unknown, what: string): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch (cause) {
    throw new AtlastError(
      "invalid_body",
      `Cannot encode the ${what} as JSON: ${textOfThrown(cause).message}`,
      {
        cause,
      },
    );
  }
}

function decode(contentType: string, body: MessageBody, what: string): unknown {
  // Each reader gets bytes of its own, for they can be changed.
  if (!isText(contentType)) return typeof body === "string" ? body : new Uint8Array(body);
  if (typeof body !== "string") {
    throw new AtlastError("invalid_body", `Cannot read the ${what} as ${contentType}: want UTF-8`);
  }
  if (!isJson(contentType)) return body;
  if (body === "") return undefined;
  try {
    return JSON.parse(body);
  } catch {
    // The parser's own message quotes the body, which does not belong in an error.
    throw new AtlastError(
      "invalid_body",
      `Cannot read the ${what}: got ${body.length} characters that are not JSON`,
    );
  }
}
