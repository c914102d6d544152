/**
 * The half-message route: other services prepare half messages here, bring their outcome, and ask how
 * they stand.
 *
 * @module
 */
import type { HalfDraft, HalfKeeper, HalfStatus } from "../core/bus/half_keeper.ts";
import { type HalfRequest, halfStatusText, readHalfRequest } from "../core/bus/half_wire.ts";
import { AtlastError } from "../core/errors.ts";
import { HEADER } from "../core/headers.ts";
import { HALF_CONTENT_TYPE, type Verify } from "../core/wire.ts";
import type { Route } from "./guard.ts";
import { keptBody } from "./message_body.ts";
import { verifiedText } from "./verified.ts";

/** Makes the route. */
export function halfRoute(halves: HalfKeeper, verify: Verify, maxBodyBytes: number): Route {
  return async (request) => {
    const text = await verifiedText(request, HALF_CONTENT_TYPE, verify, maxBodyBytes, "half");
    const status = await carriedOut(halves, readHalfRequest(text, Date.now()));
    const headers = { "content-type": HALF_CONTENT_TYPE, "cache-control": "no-store" };
    return new Response(halfStatusText(status), { status: 200, headers });
  };
}

async function carriedOut(halves: HalfKeeper, request: HalfRequest): Promise<HalfStatus> {
  if (request.operation === "prepare") return await halves.prepare(acceptable(request.draft));
  const { operation, id } = request;
  if (operation !== "query") return await halves[operation](id);
  const status = await halves.query(id);
  if (status !== null) return status;
  throw new AtlastError("not_found", `Cannot find half message "${id}": the outbox has none such`);
}

/** A draft of another service. Without its name the fence here would be asked, and would abort it. */
function acceptable(draft: HalfDraft): HalfDraft {
  const { message } = draft;
  if ((message.headers[HEADER.activeSide] ?? "") === "") {
    throw new AtlastError(
      "malformed_message",
      `Cannot prepare without header "${HEADER.activeSide}": want the name of the active side`,
    );
  }
  return { ...draft, message: { ...message, body: keptBody(message.contentType, message.body) } };
}
