/**
 * The routes of messages. They are about messages that are neither delivered nor dead-lettered.
 *
 * @module
 */
import { CANCEL_FILTERS } from "../filters.ts";
import { json, Refusal } from "../refusal.ts";
import { shownMessage } from "../views.ts";
import { type Call, notFound } from "./call.ts";
import { selectionOf } from "./selection.ts";

/** The highest `count` of a cancel. */
const MAX_COUNT = 500;

/** `GET /v2/messages/<id>`; also one that was just delivered. */
export function getMessage({ account, params }: Call): Response {
  const message = account.messages.get(params[0]!) ?? account.deliveredMessage(params[0]!);
  if (message === undefined) throw notFound("message");
  return json(shownMessage(message));
}

/** `DELETE /v2/messages/<id>` */
export function cancelMessage({ account, engine, params }: Call): Response {
  const message = account.messages.get(params[0]!);
  if (message === undefined || message.state === "cancelled") throw notFound("message");
  engine.cancel(message);
  return json({ cancelled: 1 });
}

/** `DELETE /v2/messages`: by ids, by filters, or all messages without either. */
export async function cancelMessages(call: Call): Promise<Response> {
  const { account, engine } = call;
  const selection = await selectionOf(call, CANCEL_FILTERS);
  const { ids, count = Infinity } = selection;
  if (Number.isFinite(count) && count > MAX_COUNT) {
    throw new Refusal(400, `invalid count: want at most ${MAX_COUNT}`);
  }
  const matching = [...account.messages.values()].filter((message) =>
    message.state !== "cancelled" && (ids === null || ids.has(message.id)) &&
    selection.matches({ message, atMs: message.createdAtMs })
  );
  const chosen = ids === null ? matching.slice(0, count) : matching;
  for (const message of chosen) engine.cancel(message);
  return json({ cancelled: chosen.length });
}
