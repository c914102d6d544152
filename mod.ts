/**
 * Atlast: reliable messages between services, with eventual consistency.
 *
 * It has a transactional outbox, an idempotent inbox, half messages, callbacks for completion or
 * compensation, retries, expiry and pruning. It runs on Deno, Bun, Node and edge platforms.
 *
 * @example
 * ```ts
 * import { createBus, defineMessage, subscribe } from "@atlast/bus";
 * import { inProcessTransport, memoryStore } from "@atlast/bus/memory";
 * import * as z from "zod";
 *
 * const OrderPlaced = defineMessage("order.placed", { body: z.object({ orderId: z.number() }) });
 *
 * const bus = createBus({ store: memoryStore(), transport: inProcessTransport() }, [
 *   subscribe(OrderPlaced, { group: "mail" }, ({ orderId }) => console.log("placed", orderId)),
 * ]);
 * await bus.publish(OrderPlaced, { orderId: 1 });
 * await bus.tick(); // does all work that is due; a server calls bus.start() instead
 * await bus.stop();
 * ```
 *
 * It prints:
 *
 * ```text
 * placed 1
 * ```
 *
 * @module
 */

// The bus
export {
  type Bus,
  type HalfMessageOptions,
  type HandDecision,
  type WhichMessage,
} from "./bus/api/bus.ts";
export { type FailingName, type Health, type HealthOptions } from "./bus/api/health.ts";
export { type HealthWarning } from "./core/ports/health_warning.ts";
export { createBus } from "./bus/create_bus.ts";
export type { HalfMessage, HalfOutcome } from "./bus/api/half_message.ts";
export type { BusOptions } from "./bus/api/bus_options.ts";
export type { SharedStoreOptions } from "./bus/api/shared_store_options.ts";
export { OutcomeUnknown } from "./bus/publish/outcome_unknown.ts";
export type { PublishOptions } from "./bus/api/publish_options.ts";
export type { Receipt } from "./bus/api/publish_options.ts";
export type { RawMessage, RawOptions } from "./bus/api/raw_message.ts";
export {
  type CallbackControl,
  type Handler,
  type HandlerContext,
  subscribe,
  type SubscribeOptions,
  type Subscriber,
} from "./bus/api/subscriber.ts";
export type { ConsumeMiddleware, Draft, PublishMiddleware } from "./bus/api/middleware.ts";
export type { Logger } from "./bus/api/logger.ts";
export type { BusEvent, MessageEvent, Observer } from "./bus/api/observer.ts";
export type { Move, Moved, Orphans } from "./bus/api/orphans.ts";
export type { Cancellation } from "./bus/api/cancellation.ts";
export type { TickReport } from "./bus/api/tick_report.ts";
export type { DeadLetter, DeadLetterStanding } from "./bus/api/dead_letter.ts";
export { type FailureReport, failureReport } from "./bus/api/failure_report.ts";
export type { FailureCode } from "./core/lifecycle/failure_code.ts";
export type { FailureDetail } from "./bus/api/failure_report.ts";

// Contracts
export {
  type BodyInput,
  type BodyOutput,
  type CallbackContract,
  type Contract,
  type ContractOptions,
  defineMessage,
  type InputOf,
  type OutputOf,
  type ReplyInput,
  type Schema,
  type SchemaIssue,
  type SchemaResult,
} from "./core/message/contract.ts";

// Messages
export type { Message, MessageBody, MessageHeaders } from "./core/message/message.ts";
export { HEADER } from "./core/message/headers.ts";

// The life of a message
export { type Box, type State } from "./core/lifecycle/lifecycle.ts";
export {
  BACKOFF_RETRY,
  type CapRetry,
  DEFAULT_RETRY,
  type ExponentialRetry,
  type FixedRetry,
  type ListedRetry,
  NOTIFY_RETRY,
  type RetryPolicy,
} from "./core/lifecycle/retry.ts";
export { type CheckPolicy, DEFAULT_CHECK } from "./core/lifecycle/check_back.ts";
export { DEFAULT_EXPIRY, type ExpiryPolicy } from "./core/lifecycle/expiry.ts";

// Errors
export {
  AtlastError,
  ContractError,
  type ErrorCode,
  NonRetryable,
  type Problem,
  RetryAfter,
} from "./core/errors.ts";

// The clock of a bus, and the transactions of other drivers. The ports are in `@atlast/bus/ports`.
export type { Clock, SqlClient } from "./core/ports/platform.ts";
