/**
 * Refusals for ever, in the words of QStash.
 *
 * @module
 */
import type { Route } from "./guard.ts";
import { never, refusalOf } from "./status.ts";

/** The header that QStash gives each message it delivers. */
const QSTASH_ID_HEADER = "upstash-message-id";

/** What would be refused each time: what cannot be read, is too large, or is no message at all. */
const FINAL: ReadonlySet<number> = new Set([400, 413, 415, 431]);

/**
 * A route that tells QStash which refusals are final. It tries again after any other status, and each
 * attempt is paid for. Everyone else is answered as the route does.
 */
export function finalForQstash(route: Route): Route {
  return async (request, around) => {
    try {
      return await route(request, around);
    } catch (error) {
      const refusal = request.headers.has(QSTASH_ID_HEADER) ? refusalOf(error) : null;
      if (refusal === null || !FINAL.has(refusal.status)) throw error;
      throw never(refusal.message, refusal.code);
    }
  };
}
