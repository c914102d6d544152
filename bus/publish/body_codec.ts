/**
 * Encodes and decodes message bodies.
 *
 * @module
 */
import { type Schema, type SchemaResult, valueOf } from "../../core/message/contract.ts";
import { AtlastError } from "../../core/errors.ts";
import { withoutMark } from "../../core/json.ts";
import {
  BYTES_CONTENT_TYPE,
  isBytes,
  isJson,
  isText,
  JSON_CONTENT_TYPE,
  mayBeJson,
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

/** Encodes a value as a body and checks it; see {@linkcode encodeBody} and {@linkcode keepBody}. */
export type EncodeBody = typeof encodeBody;

/**
 * Encodes a value, decodes it again and checks the result as its receivers will. This refuses a
 * value that encoding changes, such as a `Date` if the schema requires one.
 *
 * @param what What the value is, for error texts: `body of "order.placed"`.
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
 * Checks a body that is encoded already, and keeps it byte for byte.
 *
 * @throws {ContractError} When the schema finds problems.
 * @throws {AtlastError} `invalid_body` if it is neither text nor bytes.
 */
export function keepBody(
  schema: Schema | undefined,
  value: unknown,
  contentType: string | undefined,
  what: string,
): EncodedBody | Promise<EncodedBody> {
  const isText = typeof value === "string";
  if (!(isText ? value.isWellFormed() : isBytes(value))) {
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
 * Decodes a message's body and validates it with a schema.
 *
 * @throws {ContractError} When the schema finds problems.
 * @throws {AtlastError} `invalid_body` when the body does not match its content type.
 */
export async function decodeBody(schema: Schema, message: Message): Promise<unknown> {
  return await decodeBodySoon(schema, message);
}

/** The same, but returns a promise only if the schema does. */
export function decodeBodySoon(schema: Schema, message: Message): unknown {
  return read(schema, message, `body of "${message.name}"`);
}

/** Returns a promise only if the schema does: a batch is several times as fast without promises. */
function read(schema: Schema, encoded: EncodedBody, what: string): unknown {
  const { contentType, body } = encoded;
  return checked(schema, decode(contentType, body, what), (result) => {
    // Many HTTP clients send JSON under their default content type.
    const json = result?.issues !== undefined && mayBeJson(contentType) ? jsonIn(body) : null;
    return json === null
      ? valueOf(result, what)
      : checked(schema, json.value, (second) => valueOf(second, what));
  });
}

/** Validates a value and passes the result on. Returns a promise only if the schema does. */
function checked(
  schema: Schema,
  value: unknown,
  next: (result: SchemaResult<unknown>) => unknown,
): unknown {
  const result = schema["~standard"].validate(value);
  return isThenable(result) ? Promise.resolve(result).then(next) : next(result);
}

/** The JSON value that a body contains; null if it is not JSON. */
function jsonIn(body: MessageBody): { readonly value: unknown } | null {
  try {
    const text = typeof body === "string"
      ? body
      : new TextDecoder("utf-8", { fatal: true }).decode(body);
    return { value: JSON.parse(withoutMark(text)) };
  } catch {
    return null;
  }
}

/** Whether a value is a promise, of this realm or another. */
function isThenable<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

function fitting(
  schema: Schema | undefined,
  encoded: EncodedBody,
  what: string,
): EncodedBody | Promise<EncodedBody> {
  const value = schema === undefined ? undefined : read(schema, encoded, what);
  return value instanceof Promise ? value.then(() => encoded) : encoded;
}

function encode(value: unknown, contentType: string | undefined, what: string): EncodedBody {
  if (isBytes(value)) {
    // Copied, so that later changes of the caller's bytes do not change the message.
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

/** `undefined` becomes the empty body, as in CAP. */
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
  // Each reader gets its own copy of the bytes, because it may change them.
  if (!isText(contentType)) return typeof body === "string" ? body : new Uint8Array(body);
  if (typeof body !== "string") {
    throw new AtlastError("invalid_body", `Cannot read the ${what} as ${contentType}: want UTF-8`);
  }
  if (!isJson(contentType)) return body;
  const text = withoutMark(body);
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the body, which must not appear in an error.
    throw new AtlastError(
      "invalid_body",
      `Cannot read the ${what}: got ${body.length} characters that are not JSON`,
    );
  }
}
