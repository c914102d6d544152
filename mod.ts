/**
 * Atlast: reliable messages between services that agree in the end.
 *
 * A transactional outbox, an idempotent inbox, callbacks that complete or compensate, retries,
 * expiry and clean-up, on Deno, Bun, Node and edge platforms.
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
 * await bus.start();
 * await bus.publish(OrderPlaced, { orderId: 1 });
 * await bus.stop();
 * ```
 *
 * @module
 */

// The bus
export {
  type Bus,
  createBus,
  type HalfOptions,
  type HandDecision,
  type Health,
  type HealthOptions,
} from "./core/bus/bus.ts";
export type { HalfDraft, HalfKeeper, HalfScope, HalfStatus } from "./core/bus/half_keeper.ts";
export type { HalfMessage, HalfOutcome } from "./core/bus/half_message.ts";
export type { BusOptions } from "./core/bus/options.ts";
export { OutcomeUnknown } from "./core/bus/outcome_unknown.ts";
export type { PublishOptions } from "./core/bus/publisher.ts";
export type { Receipt } from "./core/bus/receipt.ts";
export type { RawMessage, RawOptions } from "./core/bus/raw_message.ts";
export {
  type CallbackControl,
  type Handler,
  type HandlerContext,
  subscribe,
  type SubscribeOptions,
  type Subscriber,
} from "./core/bus/subscriber.ts";
export type { ConsumeMiddleware, Draft, PublishMiddleware } from "./core/bus/middleware.ts";
export type { BusEvent, MessageEvent, Observer } from "./core/bus/observer.ts";
export type { Cancellation } from "./core/bus/cancel.ts";
export type { TickReport } from "./core/bus/tick.ts";
export type { Undeliverable, UndeliverableStanding } from "./core/bus/undeliverable.ts";
export { type FailureReport, failureReport } from "./core/bus/failure_report.ts";
export type { FailureCode } from "./core/failure_code.ts";
export type { FailureDetail } from "./core/bus/failure_report.ts";

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
} from "./core/contract.ts";

// Messages
export type { Message, MessageBody, MessageHeaders } from "./core/message.ts";
export { MAX_BODY_BYTES } from "./core/message.ts";
export { HEADER, MAX_HEADER_CHARACTERS, MAX_HEADERS } from "./core/headers.ts";
export { MAX_ID_LENGTH } from "./core/id.ts";
export { matchesName, MAX_NAME_LENGTH } from "./core/name.ts";

// The life of a message
export type { RecordDetails } from "./core/details.ts";
export {
  type Box,
  type EventKind,
  type Failure,
  type LifecycleEvent,
  type LifecyclePolicy,
  MAX_CRASHES,
  type Patch,
  type Standing,
  type State,
  type Stopping,
  transition,
  TRANSITIONS,
  type Transitions,
  type Unroutable,
} from "./core/lifecycle.ts";
export {
  type CapRetry,
  DEFAULT_RETRY,
  type ExponentialRetry,
  type FixedRetry,
  type ListedRetry,
  maxAttempts,
  nextAttemptAt,
  NOTIFY_RETRY,
  type RetryPolicy,
} from "./core/retry.ts";
export {
  type CheckAnswer,
  type CheckPolicy,
  decideCheck,
  DEFAULT_CHECK,
  type HalfStanding,
} from "./core/checkback.ts";
export { DEFAULT_EXPIRY, type ExpiryPolicy } from "./core/expiry.ts";

// Errors
export {
  AtlastError,
  ContractError,
  type ErrorCode,
  NonRetryable,
  type Problem,
  RetryAfter,
} from "./core/errors.ts";

// Ports, for those who write adapters
export type { Alarm } from "./core/alarm.ts";
export type {
  AbortSignalLike,
  AddResult,
  Arrival,
  CheckBack,
  CheckQuestion,
  ClaimRequest,
  Clock,
  DeliverOptions,
  DeliveryResult,
  Fence,
  FenceRow,
  Lease,
  ListQuery,
  MemoryEntry,
  NewRecord,
  Receiver,
  RecordKey,
  RememberedMessage,
  Remembering,
  ReturningRecord,
  ReturnResult,
  SendResult,
  Settlement,
  SettleStep,
  SqlClient,
  StateCounts,
  Store,
  StoreCapabilities,
  StoredRecord,
  Transport,
  TransportCapabilities,
  UnroutableRequest,
} from "./core/ports.ts";
export type { PullRequest, PullResult } from "./core/pull.ts";
