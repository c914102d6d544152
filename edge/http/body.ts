/**
 * Reads the body of a request, up to the limit.
 *
 * @module
 */
import { checkNumber } from "../../core/check_option.ts";
import { type BodyPace, CostlyBody, readBytes, REQUEST_PACE } from "../../http/read_body.ts";
import { isInstance } from "../../core/user_code/thrown.ts";
import { Refusal } from "./status.ts";

/**
 * The raw body of a request.
 *
 * @throws {Refusal} 408 for one that breaks off, comes too slowly or in too many
 * pieces, 413 for one over the limit, 415 for one that is
 * compressed: what it unpacks to has no limit, and its signature is of what it was before.
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
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > maxBytes) throw tooLarge(maxBytes);
  const options = { expected: announced, pace };
  const body = await readBytes(request.body, maxBytes, options).catch((error) => {
    throw isInstance(error, CostlyBody) ? costly(error.kind, pace) : brokenOff();
  });
  if (body === null) throw tooLarge(maxBytes);
  // Not every server sees by itself that a caller hung up in the middle.
  if (body.length < announced) throw brokenOff();
  return body;
}

/**
 * Checks a limit on bodies.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkMaxBodyBytes(maxBodyBytes: number): void {
  checkNumber("maxBodyBytes", maxBodyBytes, { whole: true, least: 1 });
}

/** Not 400, which tells a sender that its message is at fault: it was lost on the way, and may come again. */
function brokenOff(): Refusal {
  return new Refusal(408, "truncated", "Cannot read the body: it broke off, want all of it");
}

/** 408 like one that broke off: the message is not at fault, and the next way it takes may be better. */
function costly(kind: CostlyBody["kind"], { bytesPerSecond, graceMs }: BodyPace): Refusal {
  const want = kind === "too_slow"
    ? `${bytesPerSecond} bytes a second or more after ${graceMs / 1_000} seconds`
    : "it in fewer pieces";
  return new Refusal(408, kind, `Cannot wait for the body: want ${want}`);
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(413, "too_large", `Cannot take the body: want ${maxBytes} bytes at most`);
}
