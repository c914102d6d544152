/**
 * The routes of events.
 *
 * @module
 */
import { countOf, isInDates, listOf, matchesMessage } from "../filters.ts";
import { json } from "../refusal.ts";
import { shownEvent } from "../views.ts";
import type { Call } from "./call.ts";

/** The most events in one answer. */
const MAX_COUNT = 1000;

/** The default of `count`. */
const DEFAULT_COUNT = 100;

/** The states of the filter `IN_PROGRESS`. */
const IN_PROGRESS: ReadonlySet<string> = new Set(["CREATED", "ACTIVE", "RETRY", "ERROR"]);

/** `GET /v2/events`, which the client uses and which returns `events`, and `GET /v2/logs`, which returns `logs`. */
export function listEvents({ account, query, path }: Call): Response {
  const states = listOf(query, "state").map((state) => state.replace("CANCELLED", "CANCELED"));
  const statuses = listOf(query, "responseStatus").map(Number);
  const { events, cursor } = account.events.page(
    ({ state, timeMs, message, result }) =>
      (states.length === 0 || states.includes(state.replace("CANCELLED", "CANCELED")) ||
        (states.includes("IN_PROGRESS") && IN_PROGRESS.has(state))) &&
      (statuses.length === 0 || (result !== undefined && statuses.includes(result.status))) &&
      matchesMessage(message, query) && isInDates(timeMs, query),
    query.has("count") ? countOf(query, MAX_COUNT) : DEFAULT_COUNT,
    query.get("cursor"),
    account.now(),
  );
  return json({
    [path === "/v2/logs" ? "logs" : "events"]: events.map(shownEvent),
    ...(cursor === undefined ? {} : { cursor }),
  });
}
