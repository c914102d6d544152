/**
 * The routes of messages that are neither delivered nor dead-lettered.
 *
 * @module
 */
import { countOf, isInDates, listOf, matchesMessage } from "../filters.ts";
import { json } from "../refusal.ts";
import { shownMessage } from "../views.ts";
import { type Call, notFound } from "./call.ts";

/** `GET /v2/messages/<id>` */
export function getMessage({ account, params }: Call): Response {
  const message = account.messages.get(params[0]!);
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
export function cancelMessages({ account, engine, query }: Call): Response {
  const matching = [...account.messages.values()].filter((message) =>
    message.state !== "cancelled" && matchesMessage(message, query) &&
    isInDates(message.createdAtMs, query)
  );
  const isCounted = account.settings.assume.cancelCount === "honoured" &&
    query.has("count") && listOf(query, "messageIds").length === 0;
  const chosen = isCounted ? matching.slice(0, countOf(query, Infinity)) : matching;
  for (const message of chosen) engine.cancel(message);
  return json({ cancelled: chosen.length });
}
