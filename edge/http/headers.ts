/**
 * The headers of a request: their limit, and those that belong to a message.
 *
 * @module
 */
import { HEADER, MAX_HEADERS } from "../../core/message/headers.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import { isMessageHeader, requestPrefix } from "../../core/wire/wire.ts";
import { Refusal } from "./status.ts";

/** The most headers of a request: those of a message, and as many again of all who pass it on. */
const MAX_REQUEST_HEADERS: number = 2 * MAX_HEADERS;

/** The most characters in all of them together: what Node's HTTP server takes, the least of the servers. */
const MAX_REQUEST_HEADER_CHARACTERS: number = 16 * 1024;

/**
 * Holds the limit.
 *
 * @throws {Refusal} 431.
 */
export function checkRequestHeaders(headers: Headers): void {
  let count = 0;
  let characters = 0;
  headers.forEach((value, name) => {
    count++;
    characters += name.length + value.length;
  });
  if (count > MAX_REQUEST_HEADERS || characters > MAX_REQUEST_HEADER_CHARACTERS) {
    throw headersTooLarge(
      `Cannot take ${count} headers of ${characters} characters: want ${MAX_REQUEST_HEADERS} of ` +
        `${MAX_REQUEST_HEADER_CHARACTERS} in all at most`,
    );
  }
}

/**
 * The HTTP headers that are the message's own: never a cookie, a token or what a proxy adds.
 *
 * @throws {Refusal} 415 when the request is none with a message in its headers and body.
 */
export function messageFields(headers: Headers): Record<string, string> {
  // The signature of a request of Atlast's own types does not cover the message's headers.
  const isOther = requestPrefix(headers.get("content-type")) !== null;
  if (isOther || (!headers.has(HEADER.id) && !headers.has(HEADER.name))) {
    throw new Refusal(
      415,
      "unsupported_media_type",
      `Cannot read a message from this request: want the headers "${HEADER.id}" and ` +
        `"${HEADER.name}", or a batch by its content type`,
    );
  }
  const fields: Record<string, string> = {};
  headers.forEach((value, name) => {
    if (isMessageHeader(name) || name === "content-type") fields[name] = value;
  });
  return fields;
}

/**
 * What `read` makes of a message's headers, and of nothing else that could be too large.
 *
 * @throws {Refusal} 431 where they are over their limit.
 */
export function withinHeaderLimit<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!hasCode(error, "too_large")) throw error;
    throw headersTooLarge(error.message);
  }
}

function headersTooLarge(message: string): Refusal {
  return new Refusal(431, "too_large", message);
}
