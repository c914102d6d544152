/**
 * The check-back route: an active side tells what became of the business operation of a half message.
 *
 * @module
 */
import { answerId, answerText, readQuestion } from "../core/checkback_wire.ts";
import type { CheckAnswer } from "../core/checkback.ts";
import { AtlastError } from "../core/errors.ts";
import { Signer } from "../core/http/signature.ts";
import type { CheckQuestion } from "../core/ports.ts";
import { CHECKBACK_CONTENT_TYPE, type Verify } from "../core/wire.ts";
import type { Route } from "./guard.ts";
import { Refusal, unavailable } from "./status.ts";
import { verifiedText } from "./verified.ts";

/** How an active side answers check-backs. */
export interface CheckBackOptions {
  /**
   * The name under which this service prepares half messages. A question for another is refused: a fence
   * that has never heard of a message would say that its operation can never take place.
   */
  readonly side: string;
  /** The keys that sign answers; those of whoever asks. */
  readonly signingKeys: readonly string[];
}

/** A question is an id, two names and a number. */
const MAX_QUESTION_BYTES = 16 * 1024;
/** When a fence that does not answer is to be asked again, in milliseconds. */
const UNREACHABLE_RETRY_MS = 1_000;

/**
 * Makes the route.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkBackRoute(
  ask: (question: CheckQuestion) => Promise<CheckAnswer>,
  verify: Verify,
  { side, signingKeys }: CheckBackOptions,
): Route {
  if (typeof side !== "string" || side === "") {
    throw new AtlastError(
      "invalid_option",
      "Cannot answer check-backs without a side: want the name this service prepares messages under",
    );
  }
  const signer = new Signer(signingKeys);
  return async (request) => {
    const text = await verifiedText(
      request,
      CHECKBACK_CONTENT_TYPE,
      verify,
      MAX_QUESTION_BYTES,
      "checkback",
    );
    const question = readQuestion(text);
    if (question.side !== side) {
      throw new Refusal(403, "forbidden", "Cannot answer: the question is for another active side");
    }
    const answer = await ask(question);
    if (answer === "unreachable") {
      throw unavailable("unreachable", UNREACHABLE_RETRY_MS, "Cannot answer: the fence does not");
    }
    const body = new TextEncoder().encode(answerText(question, answer));
    // Without an id there is nothing to bind the answer to: whoever asks then takes it for unknown.
    const requestId = request.headers.get("webhook-id") ?? "";
    const headers = {
      ...await signer.headersFor(answerId(requestId), body),
      "content-type": CHECKBACK_CONTENT_TYPE,
      "cache-control": "no-store",
    };
    return new Response(body, { status: 200, headers });
  };
}
