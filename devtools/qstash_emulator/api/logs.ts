/**
 * The routes of events.
 *
 * @module
 */
import { EVENT_FILTERS } from "../filters.ts";
import { json } from "../refusal.ts";
import { shownEvent } from "../views.ts";
import type { Call } from "./call.ts";
import { pageSize, selectionOf } from "./selection.ts";

/** The most events in one answer. */
const MAX_COUNT = 1000;

/** The default of `count`. */
const DEFAULT_COUNT = 100;

/** `GET /v2/events`, which the client uses and which returns `events`, and `GET /v2/logs`, which returns `logs`. */
export async function listEvents(call: Call): Promise<Response> {
  const { account, path } = call;
  const selection = await selectionOf(call, EVENT_FILTERS);
  const { ids } = selection;
  const { events, cursor } = account.events.page(
    ({ state, timeMs, message, result }) =>
      (ids === null || ids.has(message.id)) &&
      selection.matches({ message, atMs: timeMs, result, state }),
    selection.count === undefined ? DEFAULT_COUNT : pageSize(selection, MAX_COUNT),
    selection.cursor,
    account.now(),
  );
  return json({
    [path === "/v2/logs" ? "logs" : "events"]: events.map(shownEvent),
    ...(cursor === undefined ? {} : { cursor }),
  });
}
