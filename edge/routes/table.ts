/**
 * The routes of a bus: the fixed ones, and those that an option adds.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Receiver } from "../../core/ports/transport.ts";
import type { Principal } from "../../core/principal.ts";
import {
  CHECKBACK_CONTENT_TYPE,
  HALF_CONTENT_TYPE,
  MAX_REQUEST_BYTES,
  QUERY_CONTENT_TYPE,
  type Verify,
} from "../../core/wire/wire.ts";
import { answer } from "../http/response.ts";
import type { AppOptions } from "../app_options.ts";
import { checkBackRoute } from "./check_back.ts";
import { deliver } from "./deliver.ts";
import type { EdgeBus } from "../edge_bus.ts";
import { alive, type Route } from "../http/error_boundary.ts";
import { halfRoute } from "./half_message.ts";
import type { MountedRoute } from "../http/mount.ts";
import { ownVerifier } from "../auth/own_verifier.ts";
import { publishRoute } from "./publish.ts";
import { queryRoute } from "./query.ts";
import { pushReceiver } from "../http/push_receiver.ts";
import { tickBudget } from "./tick_budget.ts";
import { deadLetterRoute } from "./dead_letter.ts";
import { checkVerify, verified } from "../auth/authenticate.ts";

/** The largest body of a tick request, in bytes. It is ignored, but some cron services send one. */
const MAX_TICK_BODY_BYTES = 64 * 1024;

/**
 * Creates the routes for the options.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function busRoutes(bus: EdgeBus, options: AppOptions): MountedRoute[] {
  const {
    verify,
    checkBack,
    halfMessages,
    publish,
    query,
    deadLetters,
    openApi,
  } = options;
  const { tick, maxBodyBytes = MAX_REQUEST_BYTES } = options;
  checkVerify(verify);
  const routes: MountedRoute[] = [
    { path: "/deliver", methods: ["POST"], route: deliverRoute(bus, verify, maxBodyBytes) },
    { path: "/health", methods: ["GET"], route: alive },
    { path: "/ready", methods: ["GET"], route: readyRoute(bus) },
  ];
  const offer = (path: string, contentType: string, route: Route): void =>
    void routes.push({ path, methods: ["POST"], contentType, route });
  if (tick !== undefined) {
    const route = tickRoute(bus, ownVerifier("tick", tick));
    routes.push({ path: "/tick", methods: ["GET", "POST"], route });
  }
  if (checkBack !== undefined) {
    const check = offered("checkBack", bus.checkBack?.bind(bus));
    offer("/checkback", CHECKBACK_CONTENT_TYPE, checkBackRoute(check, checkBack));
  }
  if (halfMessages !== undefined) {
    const keeper = offered("halfMessages", bus.halfMessages);
    offer("/half", HALF_CONTENT_TYPE, halfRoute(keeper, halfMessages, maxBodyBytes));
  }
  if (query !== undefined) {
    offer("/query", QUERY_CONTENT_TYPE, queryRoute(offered("query", bus.store), query));
  }
  if (deadLetters !== undefined) {
    const deadLetter = offered("deadLetter", bus.deadLetter?.bind(bus));
    ownVerifier("deadLetters", deadLetters);
    // A report contains the message and the last response, both in base64.
    const route = deadLetterRoute(deadLetter, deadLetters, 3 * maxBodyBytes);
    routes.push({ path: "/dead-letter", methods: ["POST"], route });
  }
  if (publish !== undefined) {
    ownVerifier("publish", publish);
    const publishing = offered("publish", bus.publishRaw?.bind(bus));
    const parts = { publish: publishing, flush: bus.flush?.bind(bus), maxBodyBytes };
    routes.push({ path: "/publish", methods: ["POST"], route: publishRoute(parts, publish) });
  }
  if (openApi !== undefined) {
    const route: Route = () => answer(openApi, 200);
    routes.push({ path: "/openapi.json", methods: ["GET"], route });
  }
  return routes;
}

function deliverRoute(bus: EdgeBus, verify: Verify, maxBodyBytes: number): Route {
  return async (request, around) => {
    const { body, principal, push } = await verified(
      request,
      verify,
      maxBodyBytes,
      "deliver",
      around,
    );
    const from = deliveredBy(bus, principal);
    const receiver = push === null ? from : pushReceiver(from, push);
    return await deliver(receiver, request.headers, body, Date.now(), { principal, push });
  };
}

/** A receiver that passes the principal with each delivery. */
function deliveredBy(bus: EdgeBus, principal: Principal): Receiver {
  return {
    subscribes: (name) => bus.subscribes(name),
    deliver: (messages, options) => bus.deliver(messages, { ...options, principal }),
  };
}

function tickRoute(bus: EdgeBus, verify: Verify): Route {
  return async (request, around) => {
    await verified(request, verify, MAX_TICK_BODY_BYTES, "tick", around);
    const budget = new URL(request.url).searchParams.get("budgetMs") ?? undefined;
    return answer(await bus.tick({ budgetMs: tickBudget(budget) }), 200);
  };
}

/**
 * The greatest age of the store's state in `/ready`, in milliseconds. Anyone may request it, at any
 * rate.
 */
const READY_MAX_AGE_MS = 5_000;

function readyRoute(bus: EdgeBus): Route {
  return async () => {
    const health = await bus.health({ maxAgeMs: READY_MAX_AGE_MS });
    const { ready, store, running, reason } = health;
    // Anyone may request it, so it names no messages or groups, nor what should be mended.
    const said = { ready, store, running, ...reason === undefined ? {} : { reason } };
    return answer(said, ready ? 200 : 503);
  };
}

function offered<Part>(option: string, part: Part | undefined): Part {
  if (part !== undefined) return part;
  throw new AtlastError("invalid_option", `Cannot use ${option}: want a bus that offers it`);
}
