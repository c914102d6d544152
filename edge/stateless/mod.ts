/**
 * A subscriber without a store: an app that handles messages within their delivery, at least once. It
 * brings along no store, no schema library and no driver.
 *
 * @module
 */
export { createStatelessApp, type StatelessAppOptions } from "./app.ts";
export type { App } from "../app.ts";
export { verifyAny } from "../verify_any.ts";
export type { OnError } from "../guard.ts";
export type { StatelessOptions } from "../../core/bus/stateless.ts";
export {
  type CallbackControl,
  type Handler,
  type HandlerContext,
  subscribe,
  type SubscribeOptions,
  type Subscriber,
} from "../../core/bus/subscriber.ts";
export { type Contract, defineMessage, type Schema } from "../../core/contract.ts";
export { AtlastError, NonRetryable, RetryAfter } from "../../core/errors.ts";
