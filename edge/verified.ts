/**
 * Requests that may do what they ask.
 *
 * @module
 */
import { AtlastError } from "../core/errors.ts";
import { mediaType, type Verify } from "../core/wire.ts";
import { textOf } from "./message_body.ts";
import { readBody } from "./request_body.ts";
import { Refusal } from "./status.ts";

/** The body of a request that may do what it asks. */
export async function verified(
  request: Request,
  verify: Verify,
  maxBytes: number,
): Promise<Uint8Array> {
  const body = await readBody(request, maxBytes);
  const { method, url, headers } = request;
  const result = await verify({ method, url, headers }, body);
  if (result.ok === true) return body;
  const status = result.kind === "forbidden" ? 403 : 401;
  throw new Refusal(status, result.kind, result.reason);
}

/** The same for a request of one of Atlast's own content types, which is what its signature binds. */
export async function verifiedText(
  request: Request,
  contentType: string,
  verify: Verify,
  maxBytes: number,
): Promise<string> {
  if (mediaType(request.headers.get("content-type")) !== contentType) {
    throw new Refusal(
      415,
      "unsupported_media_type",
      `Cannot read this request: want content type ${contentType}`,
    );
  }
  const text = textOf(await verified(request, verify, maxBytes));
  if (text !== null) return text;
  throw new AtlastError("malformed_message", "Cannot read a body that is no UTF-8: want JSON");
}

/**
 * Checks what verifies requests.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkVerify(...verifiers: readonly unknown[]): void {
  if (verifiers.every((verify) => typeof verify === "function")) return;
  throw new AtlastError(
    "invalid_option",
    "Cannot use verify: want a function, such as verifySignature({ signingKeys }) gives",
  );
}
