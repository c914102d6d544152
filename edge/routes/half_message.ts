/**
 * The half-message route: participants prepare half messages, confirm or cancel them, and query
 * their state.
 *
 * @module
 */
import type { HalfDraft, HalfKeeper, HalfStatus } from "../../core/ports/half_keeper.ts";
import { type HalfRequest, halfStatusText, readHalfRequest } from "../../core/wire/half_message.ts";
import { anything, checkOptions, type OptionCheck } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { isUndecided } from "../../core/lifecycle/check_back.ts";
import { HEADER } from "../../core/message/headers.ts";
import { Signer } from "../../http/signature.ts";
import type { Principal } from "../../core/principal.ts";
import { HALF_CONTENT_TYPE, type Verify } from "../../core/wire/wire.ts";
import { answerRefusal } from "../http/response.ts";
import type { Route } from "../http/error_boundary.ts";
import { type HalfNames, HalfRights } from "../auth/half_rights.ts";
import { keptBody } from "../http/message_body.ts";
import { ownVerifier } from "../auth/own_verifier.ts";
import { signedAnswer } from "../http/signed_response.ts";
import { type Refusal, refusalOf } from "../http/status.ts";
import { verifiedText } from "../auth/authenticate.ts";

/** The options of the half-message route. */
export interface HalfMessageRouteOptions {
  /**
   * Authenticates the caller. A principal of the kind `participant` may use only the messages of
   * the participant with its name. One of the kind `service` may act for every participant of the
   * bus's `checkBacks`. Other kinds are refused.
   */
  readonly verify: Verify;
  /** The keys that sign responses; the participants have the same. */
  readonly signingKeys: readonly string[];
  /**
   * The names that may be prepared, or patterns of names: one list for all participants, or one for
   * each.
   *
   * @default every name with a route for principals of the kind `service`, none for others
   */
  readonly names?: HalfNames;
}

/** The options are checked where they are read. */
const OPTIONS: Readonly<Record<keyof HalfMessageRouteOptions, OptionCheck>> = {
  verify: anything,
  signingKeys: anything,
  names: anything,
};

/**
 * Creates the route.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function halfRoute(
  halfMessages: HalfKeeper,
  options: HalfMessageRouteOptions,
  maxBodyBytes: number,
): Route {
  const verify: Verify = ownVerifier("halfMessages", options);
  checkOptions("make the half-message route with", options, OPTIONS);
  const signer = new Signer(options.signingKeys);
  const rights = new HalfRights(options.names);
  return async (request, around) => {
    const { text, principal } = await verifiedText(
      request,
      HALF_CONTENT_TYPE,
      verify,
      maxBodyBytes,
      "half",
      around,
    );
    try {
      const requested = readHalfRequest(text, Date.now());
      const status = await carriedOut(halfMessages, rights, principal, requested);
      const decided = requested.operation === "prepare" ? decidedBefore(status) : null;
      return await signedAnswer(signer, request, text, {
        text: halfStatusText(status, decided),
        contentType: HALF_CONTENT_TYPE,
        ...(decided === null ? {} : { status: decided.status }),
      });
    } catch (error) {
      // Refusals are signed too: a forged `not_found` would make a participant prune a fence row
      // that is still needed.
      const refusal = refusalOf(error);
      if (refusal === null) throw error;
      const answer = answerRefusal(refusal, HALF_CONTENT_TYPE);
      return await signedAnswer(signer, request, text, {
        text: await answer.text(),
        contentType: HALF_CONTENT_TYPE,
        status: answer.status,
        headers: Object.fromEntries(answer.headers),
      });
    }
  };
}

/**
 * The refusal to prepare a message that is decided already; null for an undecided one. Without it, a
 * participant that reads only the HTTP status would start an operation whose message is cancelled.
 */
function decidedBefore({ id, state }: HalfStatus): Refusal | null {
  if (isUndecided(state)) return null;
  return refusalOf(
    new AtlastError(
      "wrong_state",
      `Cannot prepare half message "${id}": it is ${state}, want the operation not started`,
    ),
  );
}

async function carriedOut(
  halfMessages: HalfKeeper,
  rights: HalfRights,
  principal: Principal,
  request: HalfRequest,
): Promise<HalfStatus> {
  if (request.operation === "prepare") {
    const draft = acceptable(request.draft);
    rights.checkDraft(principal, draft.message);
    return await halfMessages.prepare(draft);
  }
  const { operation, id, participant } = request;
  rights.checkParticipant(principal, participant);
  const scope = { participant };
  const status = await rights.concealing(principal, id, () => halfMessages[operation](id, scope));
  if (status !== null) return status;
  throw new AtlastError("not_found", `Cannot find half message "${id}": there is none such here`);
}

/**
 * Checks a draft of another service. Without a participant name, check-backs would go to this
 * service's fence, which would abort the message.
 */
function acceptable(draft: HalfDraft): HalfDraft {
  const { message } = draft;
  if ((message.headers[HEADER.participant] ?? "") === "") {
    throw new AtlastError(
      "malformed_message",
      `Cannot prepare without header "${HEADER.participant}": want the name of the participant`,
    );
  }
  return { ...draft, message: { ...message, body: keptBody(message.contentType, message.body) } };
}
