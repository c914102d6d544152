/**
 * The check-back route: the participant answers what became of the business operation of a half message.
 *
 * @module
 */
import { answerText, readQuestion } from "../../core/wire/check_back.ts";
import type { CheckAnswer } from "../../core/lifecycle/check_back.ts";
import { AtlastError } from "../../core/errors.ts";
import { Signer } from "../../http/signature.ts";
import type { CheckQuestion } from "../../core/ports/fence.ts";
import { CHECKBACK_CONTENT_TYPE, type Verify } from "../../core/wire/wire.ts";
import type { Route } from "../http/error_boundary.ts";
import { ownVerifier } from "../auth/own_verifier.ts";
import { signedAnswer } from "../http/signed_response.ts";
import { Refusal, unavailable } from "../http/status.ts";
import { verifiedText } from "../auth/authenticate.ts";

/** How a participant answers check-backs. */
export interface CheckBackOptions {
  /**
   * Decides whether a request may ask, and says who asks: the keeper of this service's half messages. A
   * principal of another kind than `keeper` or `service` is refused.
   */
  readonly verify: Verify;
  /**
   * The name under which this service prepares half messages. A question for another is refused: a fence
   * that has never heard of a message would say that its operation can never take place.
   */
  readonly participant: string;
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
  check: (question: CheckQuestion) => Promise<CheckAnswer>,
  options: CheckBackOptions,
): Route {
  const verify = ownVerifier("checkBack", options);
  const { participant, signingKeys } = options;
  if (typeof participant !== "string" || participant === "") {
    throw new AtlastError(
      "invalid_option",
      "Cannot answer check-backs without a side: want the name this service prepares messages under",
    );
  }
  const signer = new Signer(signingKeys);
  return async (request, around) => {
    const { text, principal } = await verifiedText(
      request,
      CHECKBACK_CONTENT_TYPE,
      verify,
      MAX_QUESTION_BYTES,
      "checkback",
      around,
    );
    if (principal.kind !== "keeper" && principal.kind !== "service") {
      throw new Refusal(
        403,
        "forbidden",
        "Cannot answer: want a principal that is the keeper, or one of our own services",
      );
    }
    const question = readQuestion(text);
    if (question.participant !== participant) {
      throw new Refusal(403, "forbidden", "Cannot answer: the question is for another participant");
    }
    const answer = await check(question);
    if (answer === "unreachable") {
      throw unavailable("unreachable", UNREACHABLE_RETRY_MS, "Cannot answer: the fence does not");
    }
    return await signedAnswer(signer, request, text, {
      text: answerText(question, answer),
      contentType: CHECKBACK_CONTENT_TYPE,
    });
  };
}
