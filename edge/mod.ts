/**
 * The edge app: a bus behind HTTP, over web-standard `Request` and `Response` alone.
 *
 * @module
 */
export { type App, type AppOptions, createApp } from "./app.ts";
export { verifyBearer } from "./bearer.ts";
export type { CheckBackOptions } from "./check_back.ts";
export { type CheckBackAppOptions, createCheckBackApp } from "./check_back_app.ts";
export type { EdgeBus, EdgeHealthReport, EdgeTickReport } from "./edge_bus.ts";
export type { OnError } from "./guard.ts";
export type { HalvesOptions } from "./half.ts";
export type { HalfNames } from "./half_rights.ts";
export type { PublishRouteOptions } from "./publish.ts";
export type { QueryOptions } from "./query.ts";
export { DEFAULT_TICK_BUDGET_MS, MAX_TICK_BUDGET_MS } from "./tick_budget.ts";
export type { UndeliverableOptions } from "./undeliverable.ts";
export { verifyAny } from "./verify_any.ts";
export type {
  HeaderReader,
  RequestToVerify,
  Verify,
  VerifyRefusal,
  VerifyResult,
} from "../core/wire.ts";
export type { Principal, PrincipalKind } from "../core/principal.ts";
export type { Message, MessageBody, MessageHeaders } from "../core/message.ts";
export type { Undeliverable, UndeliverableStanding } from "../core/bus/undeliverable.ts";
export type { DeliverOptions, DeliveryResult, Receiver } from "../core/ports.ts";
