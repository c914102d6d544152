/**
 * Limits the headers of a request, and selects those of a message.
 *
 * @module
 */
import { HEADER, MAX_HEADERS } from "../../core/message/headers.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import { isMessageHeader, isRequestType } from "../../core/wire/wire.ts";
import { Refusal } from "./status.ts";

/** The most headers of a request: those of a message, and as many again from proxies. */
const MAX_REQUEST_HEADERS: number = 2 * MAX_HEADERS;

/**
 * The most characters in all headers together: the limit of Node's HTTP server, the lowest among
 * the servers.
 */
const MAX_REQUEST_HEADER_CHARACTERS: number = 16 * 1024;

/**
 * Checks the limits.
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
 * The HTTP headers that belong to the message, without cookies, tokens or headers of proxies.
 *
 * @throws {Refusal} 415 when the request is not a message in headers and body.
 */
export function messageFields(headers: Headers): Record<string, string> {
  // The signature of a request with one of Atlast's content types does not cover the message's
  // headers.
  const isOther = isRequestType(headers.get("content-type"));
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
 * Runs `read`, which may throw `too_large` only for a message's headers, and turns that into a
 * refusal.
 *
 * @throws {Refusal} 431 when the headers exceed their limit.
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
