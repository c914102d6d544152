/**
 * Subscribers without a store: an app that handles messages within their delivery, at least once. It imports no
 * store, schema library or driver.
 *
 * @module
 */
export { createStatelessApp, type StatelessAppOptions } from "./app.ts";
export type { App } from "../app_options.ts";
export { verifyAny } from "../auth/any.ts";
export type { OnError } from "../http/error_boundary.ts";
export type { StatelessOptions } from "../../bus/api/stateless_options.ts";
export {
  type CallbackControl,
  type Handler,
  type HandlerContext,
  subscribe,
  type SubscribeOptions,
  type Subscriber,
} from "../../bus/api/subscriber.ts";
export { type Contract, defineMessage, type Schema } from "../../core/message/contract.ts";
export { AtlastError, NonRetryable, RetryAfter } from "../../core/errors.ts";
