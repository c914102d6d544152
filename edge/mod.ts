/**
 * The edge app: a bus behind HTTP, over web-standard `Request` and `Response` alone.
 *
 * @module
 */
export { createApp } from "./app.ts";
export { type App, type AppOptions } from "./app_options.ts";
export { verifyBearer } from "./auth/bearer.ts";
export type { CheckBackOptions } from "./routes/check_back.ts";
export { type CheckBackAppOptions, createCheckBackApp } from "./check_back_app.ts";
export type { EdgeBus, EdgeHealthReport, EdgeTickReport } from "./edge_bus.ts";
export type { OnError } from "./http/error_boundary.ts";
export type { HalfMessageRouteOptions } from "./routes/half_message.ts";
export type { HalfNames } from "./auth/half_rights.ts";
export type { PublishRouteOptions } from "./routes/publish.ts";
export type { QueryOptions } from "./routes/query.ts";
export { DEFAULT_TICK_BUDGET_MS, MAX_TICK_BUDGET_MS } from "./routes/tick_budget.ts";
export type { DeadLetterRouteOptions } from "./routes/dead_letter.ts";
export { verifyAny } from "./auth/any.ts";
export type { RequestToVerify, Verify, VerifyRefusal, VerifyResult } from "../core/wire/wire.ts";
export type { HeaderReader } from "../core/ports/platform.ts";
export type { DeadLetterReport, DeliveryDialect, ReportedHttp } from "../core/ports/dialect.ts";
export type { PushDelivery } from "../core/ports/push_delivery.ts";
export type { Principal, PrincipalKind } from "../core/principal.ts";
export type { Message, MessageBody, MessageHeaders } from "../core/message/message.ts";
export type { DeadLetter, DeadLetterStanding } from "../bus/api/dead_letter.ts";
export type { DeliverOptions, DeliveryResult, Receiver } from "../core/ports/transport.ts";
