/**
 * The routes of flow control keys.
 *
 * @module
 */
import type { FlowRecord } from "../flow_record.ts";
import { done, json, Refusal } from "../refusal.ts";
import { type Call, notFound } from "./call.ts";

/** `GET /v2/flowControl` */
export function listFlows(call: Call): Response {
  return json([...call.account.flows.values()].map((flow) => shown(call, flow)));
}

/** `GET /v2/flowControl/<key>` */
export function getFlow(call: Call): Response {
  const flow = call.account.flows.get(call.params[0]!);
  if (flow === undefined) throw notFound("flow control key");
  return json(shown(call, flow));
}

/** `POST /v2/flowControl/<key>/<action>`, which creates a missing key. */
export function changeFlow(call: Call): Response {
  const { account, engine, params, query } = call;
  const [key, action] = params as [string, string];
  // Read before the key is created, so that a refused request changes nothing.
  const limits = action === "pin" ? pinned(query) : {};
  const unpinned = action === "unpin"
    ? { parallelism: flagOf(query, "parallelism"), rate: flagOf(query, "rate") }
    : { parallelism: false, rate: false };
  const flow = account.flow(key);
  switch (action) {
    case "pause":
      flow.isPaused = true;
      break;
    case "resume":
      flow.isPaused = false;
      break;
    case "resetRate":
      flow.resetRate(account.now());
      break;
    case "pin":
      flow.pin(limits, account.now());
      break;
    default:
      flow.unpin(unpinned);
  }
  engine.soon();
  return done();
}

/** `GET /v2/globalParallelism` */
export function getGlobalParallelism({ account, engine }: Call): Response {
  return json({
    parallelismMax: account.settings.limits.parallelism,
    parallelismCount: engine.lines.active,
  });
}

function flagOf(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? "false";
  if (text === "true" || text === "false") return text === "true";
  throw new Refusal(400, `invalid ${name}: want true or false`);
}

function pinned(query: URLSearchParams): Parameters<FlowRecord["pin"]>[0] {
  const [parallelism, rate, periodSeconds] = ["parallelism", "rate", "period"].map((name) => {
    const text = query.get(name);
    if (text === null) return undefined;
    if (!/^[1-9]\d{0,8}$/.test(text)) {
      throw new Refusal(400, `invalid ${name}: want a whole number from 1 on`);
    }
    return Number(text);
  });
  if (parallelism === undefined && rate === undefined && periodSeconds === undefined) {
    throw new Refusal(400, "invalid pin: want a parallelism, a rate or a period");
  }
  return {
    ...(parallelism === undefined ? {} : { parallelism }),
    ...(rate === undefined ? {} : { rate }),
    ...(periodSeconds === undefined ? {} : { periodSeconds }),
  };
}

function shown({ account, engine }: Call, flow: FlowRecord): Record<string, unknown> {
  return flow.shown(engine.lines.waitingFor(flow.key), account.now());
}
