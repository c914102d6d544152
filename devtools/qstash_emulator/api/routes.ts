/**
 * The routes of the API.
 *
 * @module
 */
import type { Deduplication } from "../deduplication.ts";
import { Refusal } from "../refusal.ts";
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

/** The routes: method, path with `*` for a segment, handler. A destination is not part of the path. */
const ROUTES: readonly (readonly [method: string, path: string, handler: Handler])[] = [
  ["POST", "/v2/publish", publish],
  ["POST", "/v2/enqueue/*", publish],
  ["POST", "/v2/batch", publishBatch],
  ["GET", "/v2/messages/*", getMessage],
  ["DELETE", "/v2/messages/*", cancelMessage],
  ["DELETE", "/v2/messages", cancelMessages],
  ["GET", "/v2/dlq", listDlq],
  ["GET", "/v2/dlq/*", getDlqMessage],
  ["DELETE", "/v2/dlq/*", deleteDlqMessage],
  ["DELETE", "/v2/dlq", deleteDlqMessages],
  ["POST", "/v2/dlq/retry", retryDlqMessages],
  ["POST", "/v2/dlq/retry/*", retryDlqMessage],
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
  ["GET", "/v2/events", listEvents],
  ["GET", "/v2/logs", listEvents],
  ["GET", "/v2/keys", getKeys],
  ["POST", "/v2/keys/rotate", rotateKeys],
  ["GET", "/v2/flowControl", listFlows],
  ["GET", "/v2/flowControl/*", getFlow],
  ["POST", "/v2/flowControl/*/pause", changeFlow],
  ["POST", "/v2/flowControl/*/resume", changeFlow],
  ["POST", "/v2/flowControl/*/resetRate", changeFlow],
  ["POST", "/v2/flowControl/*/pin", changeFlow],
  ["POST", "/v2/flowControl/*/unpin", changeFlow],
  ["GET", "/v2/globalParallelism", getGlobalParallelism],
];

/** The part after `/v2/schedules/`: a destination for POST, an id for the others. */
const SCHEDULE_HANDLERS: Readonly<Record<string, Handler>> = {
  POST: createSchedule,
  GET: getSchedule,
  DELETE: deleteSchedule,
};

const COMPILED = ROUTES.map(([method, path, handler]) => {
  const pattern = path.replaceAll("/*/", "/([^/]+)/").replace(/\/\*$/, "/([^/]+)");
  const rest = path.startsWith("/v2/flowControl/*/") ? pattern.replace(/(\w+)$/, "($1)") : pattern;
  return { method, pattern: new RegExp(`^${rest}$`), handler };
});

/** The handler of a request, and the parts of its path. */
interface Match {
  readonly handler: Handler;
  readonly params: readonly string[];
}

/**
 * Finds the route of a request.
 *
 * @throws {Refusal} 404 for an unknown path, 405 for a path without this method.
 */
export function matchRoute(method: string, path: string, destination: string | null): Match {
  if (path === "/v2/schedules" && destination !== null) {
    const handler = SCHEDULE_HANDLERS[method];
    if (handler === undefined) throw new Refusal(405, "method not allowed");
    return { handler, params: [destination] };
  }
  const matches = COMPILED.flatMap(({ method, pattern, handler }) => {
    const found = pattern.exec(path);
    return found === null ? [] : [{ method, handler, params: found.slice(1).map(decoded) }];
  });
  const match = matches.find((one) => one.method === method);
  if (match !== undefined) return match;
  throw matches.length > 0 ? new Refusal(405, "method not allowed") : new Refusal(404, "not found");
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
