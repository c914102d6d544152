/**
 * The check-back route: the participant answers with the outcome of the business operation of a
 * half message.
 *
 * @module
 */
import { answerText, readQuestion } from "../../core/wire/check_back.ts";
import { anything, checkOptions, type OptionCheck } from "../../core/check_options.ts";
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

/** The options of the check-back route. */
export interface CheckBackOptions {
  /**
   * Authenticates the keeper of this service's half messages. A principal of another kind than
   * `keeper` or `service` is refused.
   */
  readonly verify: Verify;
  /**
   * The name under which this service prepares half messages. A check-back for another name is
   * refused, because the fence would abort a message that it does not know.
   */
  readonly participant: string;
  /** The keys that sign responses; the keeper has the same. */
  readonly signingKeys: readonly string[];
}

/** The largest request, in bytes: a question has an id, two names and a few numbers. */
const MAX_QUESTION_BYTES = 16 * 1024;
/** After how long the keeper should retry when the fence does not answer, in milliseconds. */
const UNREACHABLE_RETRY_MS = 1_000;

/** The options are checked where they are read. */
const OPTIONS: Readonly<Record<keyof CheckBackOptions, OptionCheck>> = {
  verify: anything,
  participant: anything,
  signingKeys: anything,
};

/**
 * Creates the route.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkBackRoute(
  check: (question: CheckQuestion) => Promise<CheckAnswer>,
  options: CheckBackOptions,
): Route {
  const verify = ownVerifier("checkBack", options);
  checkOptions("make the check-back route with", options, OPTIONS);
  const { participant, signingKeys } = options;
  if (typeof participant !== "string" || participant === "") {
    throw new AtlastError(
      "invalid_option",
      "Cannot answer check-backs without a participant: want the name under which this service prepares messages",
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
