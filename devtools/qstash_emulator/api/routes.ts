/**
 * The routes of the API.
 *
 * @module
 */
import type { Deduplication } from "../deduplication.ts";
import { CANCEL_FILTERS, checkParameter, DLQ_FILTERS, EVENT_FILTERS } from "../filters.ts";
import { NO_WORKFLOWS, Refusal } from "../refusal.ts";
import { type Target, TOKEN_PARAMETER } from "../target.ts";
import type { Call } from "./call.ts";
import {
  deleteDlqMessage,
  deleteDlqMessages,
  getDlqMessage,
  listDlq,
  retryDlqMessage,
  retryDlqMessages,
} from "./dlq.ts";
import { changeFlow, getFlow, getGlobalParallelism, listFlows } from "./flow_control.ts";
import { getKeys, rotateKeys } from "./keys.ts";
import { listEvents } from "./logs.ts";
import { cancelMessage, cancelMessages, getMessage } from "./messages.ts";
import { publish, publishBatch } from "./publish.ts";
import {
  deleteQueue,
  getQueue,
  listQueues,
  pauseQueue,
  resumeQueue,
  upsertQueue,
} from "./queues.ts";
import {
  createSchedule,
  deleteSchedule,
  getSchedule,
  listSchedules,
  pauseSchedule,
  resumeSchedule,
} from "./schedules.ts";
import {
  addEndpoints,
  deleteUrlGroup,
  getUrlGroup,
  listUrlGroups,
  patchUrlGroup,
  removeEndpoints,
} from "./url_groups.ts";

/** Answers a request to one route. */
type Handler = (call: Call, deduplication: Deduplication) => Response | Promise<Response>;

/** What a route takes in its query besides the token; `upstash-*` stands for the configuration of a message. */
type Parameters = readonly string[];

/** The parameters of routes that publish. */
const CONFIG = "upstash-*";

const NONE: Parameters = [];

/**
 * The routes: method, path with `*` for a segment, handler, parameters of the query if it takes any. A
 * destination is not part of the path.
 */
const ROUTES: readonly (readonly [
  method: string,
  path: string,
  handler: Handler,
  parameters?: Parameters,
])[] = [
  ["POST", "/v2/publish", publish, [CONFIG]],
  ["POST", "/v2/enqueue/*", publish, [CONFIG]],
  ["POST", "/v2/batch", publishBatch],
  ["GET", "/v2/messages/*", getMessage],
  ["DELETE", "/v2/messages/*", cancelMessage],
  ["DELETE", "/v2/messages", cancelMessages, CANCEL_FILTERS],
  ["GET", "/v2/dlq", listDlq, DLQ_FILTERS],
  ["GET", "/v2/dlq/*", getDlqMessage],
  ["DELETE", "/v2/dlq/*", deleteDlqMessage],
  ["DELETE", "/v2/dlq", deleteDlqMessages, DLQ_FILTERS],
  ["POST", "/v2/dlq/retry", retryDlqMessages, [...DLQ_FILTERS, CONFIG]],
  ["POST", "/v2/dlq/retry/*", retryDlqMessage, [CONFIG]],
  ["POST", "/v2/queues", upsertQueue],
  ["GET", "/v2/queues", listQueues],
  ["GET", "/v2/queues/*", getQueue],
  ["DELETE", "/v2/queues/*", deleteQueue],
  ["POST", "/v2/queues/*/pause", pauseQueue],
  ["POST", "/v2/queues/*/resume", resumeQueue],
  ["POST", "/v2/topics/*/endpoints", addEndpoints],
  ["DELETE", "/v2/topics/*/endpoints", removeEndpoints],
  ["GET", "/v2/topics", listUrlGroups],
  ["GET", "/v2/topics/*", getUrlGroup],
  ["PATCH", "/v2/topics/*", patchUrlGroup],
  ["DELETE", "/v2/topics/*", deleteUrlGroup],
  ["GET", "/v2/schedules", listSchedules],
  ["PATCH", "/v2/schedules/*/pause", pauseSchedule],
  ["POST", "/v2/schedules/*/pause", pauseSchedule],
  ["PATCH", "/v2/schedules/*/resume", resumeSchedule],
  ["POST", "/v2/schedules/*/resume", resumeSchedule],
  ["GET", "/v2/events", listEvents, EVENT_FILTERS],
  ["GET", "/v2/logs", listEvents, EVENT_FILTERS],
  ["GET", "/v2/keys", getKeys],
  ["POST", "/v2/keys/rotate", rotateKeys],
  ["GET", "/v2/flowControl", listFlows],
  ["GET", "/v2/flowControl/*", getFlow],
  ["POST", "/v2/flowControl/*/pause", changeFlow],
  ["POST", "/v2/flowControl/*/resume", changeFlow],
  ["POST", "/v2/flowControl/*/resetRate", changeFlow],
  ["POST", "/v2/flowControl/*/pin", changeFlow, ["parallelism", "rate", "period"]],
  ["POST", "/v2/flowControl/*/unpin", changeFlow, ["parallelism", "rate"]],
  ["GET", "/v2/globalParallelism", getGlobalParallelism],
];

/** The part after `/v2/schedules/`: a destination for POST, an id for the others. */
const SCHEDULE_HANDLERS: Readonly<Record<string, Handler>> = {
  POST: createSchedule,
  GET: getSchedule,
  DELETE: deleteSchedule,
};

const COMPILED = ROUTES.map(([method, path, handler, parameters = NONE]) => {
  const pattern = path.replaceAll("/*/", "/([^/]+)/").replace(/\/\*$/, "/([^/]+)");
  const rest = path.startsWith("/v2/flowControl/*/") ? pattern.replace(/(\w+)$/, "($1)") : pattern;
  return { method, pattern: new RegExp(`^${rest}$`), handler, parameters };
});

/** The handler of a request, and the parts of its path. */
interface Match {
  readonly handler: Handler;
  readonly params: readonly string[];
}

/**
 * Finds the route of a request, and checks the names in its query: a parameter that no route knows may be a
 * filter with a typing error, without which a request deletes everything.
 *
 * @throws {Refusal} 404 for an unknown path, 405 for a path without this method, 400 for an unknown parameter.
 */
export function matchRoute(method: string, { path, destination, query }: Target): Match {
  const { handler, params, parameters } = routeOf(method, path, destination);
  for (const name of query.keys()) {
    const isConfig = name.toLowerCase().startsWith("upstash-") && parameters.includes(CONFIG);
    if (name !== TOKEN_PARAMETER && !isConfig) checkParameter(name, parameters);
  }
  return { handler, params };
}

function routeOf(
  method: string,
  path: string,
  destination: string | null,
): Match & { readonly parameters: Parameters } {
  if (path === "/v2/schedules" && destination !== null) {
    const handler = SCHEDULE_HANDLERS[method];
    if (handler === undefined) throw new Refusal(405, "method not allowed");
    return { handler, params: [destination], parameters: [CONFIG] };
  }
  const matches = COMPILED.flatMap(({ method, pattern, handler, parameters }) => {
    const found = pattern.exec(path);
    if (found === null) return [];
    return [{ method, handler, params: found.slice(1).map(decoded), parameters }];
  });
  const match = matches.find((one) => one.method === method);
  if (match !== undefined) return match;
  if (matches.length > 0) throw new Refusal(405, "method not allowed");
  throw /^\/v2\/(workflows|notify|waiters)(\/|$)/.test(path)
    ? new Refusal(404, NO_WORKFLOWS)
    : new Refusal(404, "not found");
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
