/**
 * The settings of a bus, after its options were checked and defaults filled in.
 *
 * @module
 */
import type { CheckPolicy } from "../../core/lifecycle/check_back.ts";
import type { Alarm } from "../../core/ports/alarm.ts";
import type { ExpiryPolicy } from "../../core/lifecycle/expiry.ts";
import type { Box, LifecyclePolicy } from "../../core/lifecycle/lifecycle.ts";
import type { Store } from "../../core/ports/store.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { CheckBack, Fence } from "../../core/ports/fence.ts";
import type { Clock, SqlClient } from "../../core/ports/platform.ts";
import type { Transport } from "../../core/ports/transport.ts";
import type { RetryPolicy } from "../../core/lifecycle/retry.ts";
import type { FailureDetail } from "../api/failure_report.ts";
import type { ConsumeMiddleware, PublishMiddleware } from "../api/middleware.ts";
import type { Observer } from "../api/observer.ts";
import type { FailingNames } from "./failing_names.ts";
import type { Redact } from "./redact.ts";
import type { Responder } from "./responder.ts";
import type { InboxMemory } from "./retention.ts";
import type { SharedStore } from "./shared_store.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** The settings that the parts of a bus share. */
export interface Settings<Tx> {
  readonly responder: Responder;
  readonly callbackNames: readonly string[] | null;
  readonly failureDetail: FailureDetail;
  /** Removes secrets from a reason; null without the option `redact`. */
  readonly redact: Redact | null;
  readonly fence: Fence | undefined;
  readonly checkBacks: ReadonlyMap<string, CheckBack>;
  readonly check: CheckPolicy;
  readonly checkTimeoutMs: number;
  readonly store: Store<Tx>;
  /** Stands for this bus in notifications, because several buses may have one store. */
  readonly sender: object;
  /** {@linkcode noTransport} where the bus has none. */
  readonly transport: Transport;
  readonly subscriptions: Subscriptions<Tx>;
  /** Null where subscribers do not use the store of this bus. */
  readonly sharedStore: SharedStore<Tx> | null;
  /** Where messages can go: to the groups that use the store, and by the transport. */
  readonly routing: Pick<Transport, "routes">;
  readonly retry: RetryPolicy;
  readonly expiry: Readonly<Record<Box, ExpiryPolicy>>;
  readonly memory: InboxMemory;
  readonly leaseMs: number;
  readonly handlerTimeoutMs: number;
  readonly concurrencyOf: (group: string) => number;
  readonly batchSize: number;
  readonly pollMs: number | undefined;
  readonly pullMs: number;
  readonly pruneEveryMs: number;
  readonly unroutableForMs: number;
  readonly clockToleranceMs: number;
  /** How many waiting records of a destination become due in a second once it is reached; null for never. */
  readonly resumePerSecond: number | null;
  readonly orphanAfterMs: number;
  readonly invalidBodyForMs: number;
  readonly maxBodyBytes: number;
  readonly onPublish: readonly PublishMiddleware[];
  readonly onConsume: readonly ConsumeMiddleware<Tx>[];
  readonly alarm: Alarm | undefined;
  readonly observe: Observer;
  /** The names that could not be sent lately. */
  readonly failingNames: FailingNames;
  readonly clock: Clock;
  /** See `StoreClock.follow`; null with a clock of the user's. */
  readonly followClock: (tx?: Tx | SqlClient) => Promise<number> | null;
  readonly random: () => number;
  readonly newId: (nowMs: number) => string;
}

/** The largest body that this bus publishes, in bytes. */
export function largestBody<Tx>({ maxBodyBytes, transport }: Settings<Tx>): number {
  return Math.min(maxBodyBytes, transport.capabilities.maxBodyBytes);
}

/** The retry and expiry policy of a record. */
export function policyOf<Tx>(
  settings: Settings<Tx>,
  record: Pick<StoredRecord, "box" | "retry">,
  own?: RetryPolicy,
): LifecyclePolicy {
  return { retry: record.retry ?? own ?? settings.retry, expiry: settings.expiry[record.box] };
}
