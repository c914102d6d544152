/**
 * Checks the options of the transport.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { isMessageHeader } from "../../core/wire/wire.ts";

/** Headers that the transport sets itself: host, body and signature. */
const OWN = /^(host|content-.*|transfer-encoding|connection|webhook-.*)$/;

/**
 * The user's own HTTP headers.
 *
 * @throws {AtlastError} `invalid_option`, naming the header but never its value.
 */
export function checkedHeaders(headers: Readonly<Record<string, string>>): Headers {
  const checked = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (OWN.test(name.toLowerCase()) || isMessageHeader(name.toLowerCase())) {
      throw notUsable(name, "one that the transport does not set itself");
    }
    try {
      checked.set(name, value);
    } catch {
      throw notUsable(name, "an HTTP header name and value");
    }
  }
  return checked;
}

function notUsable(name: string, want: string): AtlastError {
  return new AtlastError(
    "invalid_option",
    `Cannot use header ${JSON.stringify(name)} in headers: want ${want}`,
  );
}
