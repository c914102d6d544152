/**
 * The ports, for authors of stores, transports, fences and alarms: `Store`, `Transport`, `Fence` and
 * `Alarm` with their records, requests and results, the limits of messages, and the lifecycle table.
 *
 * @module
 */
export { MAX_BODY_BYTES } from "./core/message/message.ts";
export { MAX_HEADER_CHARACTERS, MAX_HEADERS } from "./core/message/headers.ts";
export { MAX_ID_LENGTH } from "./core/message/id.ts";
export { matchesName, MAX_NAME_LENGTH } from "./core/message/name.ts";
export {
  type HalfDraft,
  type HalfKeeper,
  type HalfScope,
  type HalfStatus,
} from "./core/ports/half_keeper.ts";
export { type RecordDetails, type UnreachableDetails } from "./core/lifecycle/record_details.ts";
export { type WaitingPage, type WaitingRecord } from "./core/lifecycle/unreachable.ts";
export { type StoreClock } from "./core/ports/store_clock.ts";
export {
  type EventKind,
  type Failure,
  type LifecycleEvent,
  type LifecyclePolicy,
  MAX_CRASHES,
  type Patch,
  type Standing,
  type Stopping,
  transition,
  TRANSITIONS,
  type Transitions,
  type Unroutable,
} from "./core/lifecycle/lifecycle.ts";
export { maxAttempts, nextAttemptAt } from "./core/lifecycle/retry.ts";
export { type CheckAnswer, decideCheck, type HalfStanding } from "./core/lifecycle/check_back.ts";
export {
  type ClaimRequest,
  type GroupNames,
  type GroupShare,
  type Untaken,
  type UntakenRequest,
} from "./core/ports/claim_request.ts";
export {
  type AddResult,
  type FirstUse,
  type LazyTransaction,
  type Lease,
  type ListQuery,
  type ReturnResult,
  type Settlement,
  type SettlementGuard,
  type SettleStep,
  type StateCounts,
  type StoreHints,
} from "./core/ports/store.ts";
export { type NotificationHints } from "./core/ports/notification_hints.ts";
export {
  type InspectionHints,
  type Recollection,
  type RecordOutline,
} from "./core/ports/inspection.ts";
export { type DueMessages, type OldestDueRequest } from "./core/ports/oldest_due.ts";
export { type StoreCapabilities } from "./core/ports/store_capabilities.ts";
export {
  type DeadLetterReport,
  type DeliveryDialect,
  type ReportedHttp,
} from "./core/ports/dialect.ts";
export { type DialectDescription } from "./core/ports/dialect_description.ts";
export { type PushDelivery } from "./core/ports/push_delivery.ts";
export { type NewRecord, type RecordKey } from "./core/ports/record.ts";
export { type AbortSignalLike } from "./core/ports/platform.ts";
export { type DelayedBy } from "./core/lifecycle/delayed_by.ts";
export { type Arrival, type TransportCapabilities } from "./core/ports/transport.ts";
export { type FenceOutcome, type FenceRow } from "./core/ports/fence.ts";
export {
  type MemoryEntry,
  type RememberedMessage,
  type Remembering,
  type ReturningRecord,
} from "./core/ports/inbox_memory.ts";
export { type UnroutableRequest } from "./core/lifecycle/unroutable.ts";
export { type PullRequest, type PullResult } from "./core/ports/pull.ts";
export type { Alarm } from "./core/ports/alarm.ts";
export type { CheckBack, CheckQuestion, Fence } from "./core/ports/fence.ts";
export type { Clock, SqlClient } from "./core/ports/platform.ts";
export type {
  DeliverOptions,
  DeliveryResult,
  Receiver,
  SendResult,
  Transport,
} from "./core/ports/transport.ts";
export type { HealthWarning } from "./core/ports/health_warning.ts";
export type { Store } from "./core/ports/store.ts";
export type { StoredRecord } from "./core/ports/record.ts";
