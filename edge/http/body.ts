/**
 * Reads the body of a request, up to the limit.
 *
 * @module
 */
import { type BodyPace, CostlyBody, readBytes, REQUEST_PACE } from "../../http/read_body.ts";
import { isInstance } from "../../core/user_code/thrown.ts";
import { BODY_READ_BEFORE } from "../../core/wire/wire.ts";
import { Refusal } from "./status.ts";

/**
 * Reads the raw body of a request.
 *
 * @throws {Refusal} 500 for a body that a middleware has read before; 408 for a body that is cut off, arrives too slowly or in too many pieces; 413
 * for one over the limit; 415 for a compressed one, because its unpacked size is unlimited and its
 * signature covers the uncompressed body.
 */
export async function readBody(
  request: Request,
  maxBytes: number,
  pace: BodyPace = REQUEST_PACE,
): Promise<Uint8Array<ArrayBuffer>> {
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding.trim().toLowerCase() !== "identity") {
    throw new Refusal(
      415,
      "unsupported_media_type",
      "Cannot read a body with a content-encoding: want it as it is",
      { "accept-encoding": "identity" },
    );
  }
  if (request.bodyUsed || request.body?.locked === true) throw readBefore();
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > maxBytes) throw tooLarge(maxBytes);
  const options = { expected: announced, pace };
  const body = await readBytes(request.body, maxBytes, options).catch((error) => {
    throw isInstance(error, CostlyBody) ? costly(error.kind, pace) : brokenOff();
  });
  if (body === null) throw tooLarge(maxBytes);
  // A body parser of Node's frameworks leaves an empty stream. If the connection broke instead,
  // nobody gets this answer.
  if (body.length === 0 && announced > 0) throw readBefore();
  // Some servers do not notice that the caller closed the connection in the middle.
  if (body.length < announced) throw brokenOff();
  return body;
}

/**
 * The operator's mistake, so it is 500 and goes to the app's `onError`. A sender that knows the
 * code counts no attempt.
 */
function readBefore(): Refusal {
  return new Refusal(
    500,
    BODY_READ_BEFORE,
    "Cannot read the body: a middleware of this service has read it before, want this app before any " +
      "body parser",
  );
}

/**
 * 408 and not 400: the message was lost in transit and should be sent again, while 400 means that
 * the message is invalid.
 */
function brokenOff(): Refusal {
  return new Refusal(408, "truncated", "Cannot read the body: it broke off, want all of it");
}

/** 408, as for a body that was cut off: the message is valid, and another try may succeed. */
function costly(kind: CostlyBody["kind"], { bytesPerSecond, graceMs }: BodyPace): Refusal {
  const want = kind === "too_slow"
    ? `${bytesPerSecond} bytes a second or more after ${graceMs / 1_000} seconds`
    : "it in fewer pieces";
  return new Refusal(408, kind, `Cannot wait for the body: want ${want}`);
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(413, "too_large", `Cannot take the body: want ${maxBytes} bytes at most`);
}
