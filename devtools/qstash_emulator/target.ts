/**
 * Parses the path of a request to the API, which may contain a whole URL.
 *
 * @module
 */

/** The parameter of a query that has the token. */
export const TOKEN_PARAMETER = "qstash_token";

/** The parsed path of a request. */
export interface Target {
  /** The path up to a destination, as segments: `/v2/publish` or `/v2/enqueue/<queue>`. */
  readonly path: string;
  /** The rest of a path with a destination, including the destination's own query. */
  readonly destination: string | null;
  /** The query, except for the part that belongs to the destination. */
  readonly query: URLSearchParams;
}

/**
 * Parses a URL as it was sent. The path is never normalised: in `/v2/publish/https://a.example//b` the
 * slashes belong to the destination. So does the query, except for `qstash_token` and parameters that begin
 * with `upstash-`, which configure the publish.
 */
export function readTarget(url: string): Target {
  const sent = url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "").replace(/#.*$/s, "");
  const mark = sent.indexOf("?");
  const path = mark === -1 ? sent : sent.slice(0, mark);
  const query = mark === -1 ? "" : sent.slice(mark + 1);
  const found = /^\/v2\/(?:publish|enqueue\/[^/]+|schedules)(?=\/)/.exec(path)?.[0];
  const rest = found === undefined ? "" : path.slice(found.length + 1);
  if (found === undefined || isScheduleRoute(found, rest)) {
    return { path, destination: null, query: new URLSearchParams(query) };
  }
  const parts = mark === -1 ? [] : query.split("&");
  const own = parts.filter((part) => !isConfig(part));
  return {
    path: found,
    destination: mark === -1 || (own.length === 0 && parts.length > 0)
      ? rest
      : `${rest}?${own.join("&")}`,
    query: new URLSearchParams(parts.filter(isConfig).join("&")),
  };
}

/** `/v2/schedules/<id>` and its actions, as opposed to `/v2/schedules/<destination>`. */
function isScheduleRoute(path: string, rest: string): boolean {
  return path === "/v2/schedules" && /^[A-Za-z0-9._-]+\/(pause|resume)$/.test(rest);
}

function isConfig(part: string): boolean {
  return /^(qstash_token(=|$)|upstash-)/i.test(part);
}
