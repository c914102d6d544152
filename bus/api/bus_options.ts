/**
 * The options of `createBus`.
 *
 * @module
 */
import type { CheckPolicy } from "../../core/lifecycle/check_back.ts";
import type { Alarm } from "../../core/ports/alarm.ts";
import type { ExpiryPolicy } from "../../core/lifecycle/expiry.ts";
import type { Store } from "../../core/ports/store.ts";
import type { CheckBack, Fence } from "../../core/ports/fence.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { Transport } from "../../core/ports/transport.ts";
import type { RetryPolicy } from "../../core/lifecycle/retry.ts";
import type { FailureDetail } from "./failure_report.ts";
import type { ConsumeMiddleware, PublishMiddleware } from "./middleware.ts";
import type { Observer } from "./observer.ts";
import type { SharedStoreOptions } from "./shared_store_options.ts";
import type { Subscriber } from "./subscriber.ts";

/** What a bus is made of. Times are in milliseconds. */
export interface BusOptions<Tx = unknown, BusinessTx = unknown> {
  /** Where outbox and inbox live. */
  readonly store: Store<Tx>;
  /** What carries messages to their subscribers. May be left out with `sharedStore`. */
  readonly transport?: Transport;
  /**
   * For subscribers that use the store of this bus, in this process or another, such as the workers of an API:
   * `true` for the subscribers of this bus, `{ groups }` to name those of other processes too. A message for them is
   * one record in the inbox of each group, added in the publisher's transaction, and is not sent. So it is already in
   * the inbox when it was published: `cancel` finds it only while it is delayed, and the option `retry` of a publish,
   * which is for sending, has no effect. On a store without transactions it goes through the outbox. Messages that no
   * group takes from the store, and those to a destination of their own, are sent by the transport.
   *
   * @default false
   */
  readonly sharedStore?: boolean | SharedStoreOptions;
  /**
   * The name of this service: 1 to 100 letters, digits, `_`, `-` and dots, and no other service's. The ids of its
   * answers (replies and failure callbacks) are derived from it, so that those of two services differ. Do not change
   * it: a message that is handled again would then be answered under another id.
   *
   * @default a random id that the store keeps from its first start
   */
  readonly service?: string;
  /**
   * The names, or patterns of names, that messages may ask callbacks and failure callbacks under, whoever sends
   * them. A message that asks for another one is rejected when it arrives.
   *
   * @default any that its sender may ask for
   */
  readonly callbackNames?: readonly string[];
  /**
   * What a failure callback tells another service of a failure: the class of it alone (`code`, and a fixed text), or
   * the words of the error too. Those may hold anything, such as the URL of a database.
   *
   * @default "class"
   */
  readonly failureDetail?: FailureDetail;
  /**
   * Takes out of a text what must not be kept or logged. It is given the reasons of failures before they are stored
   * and observed, and the messages and stacks of errors that are observed. What it throws away is replaced whole.
   *
   * @default nothing is taken out
   */
  readonly redact?: (text: string) => string;
  /**
   * The handlers. Given as the second argument of `createBus` instead, they learn the type of `tx` from
   * the store.
   */
  // deno-lint-ignore no-explicit-any -- within one object literal TypeScript cannot infer Tx for them.
  readonly subscribers?: readonly Subscriber<any>[];
  /**
   * When failed attempts are tried again.
   *
   * @default CAP's schedule
   */
  readonly retry?: RetryPolicy;
  /**
   * How long settled messages are kept. Fields that are left out keep the defaults of `DEFAULT_EXPIRY`.
   *
   * @default CAP's: 1 day after success, 15 days after failure
   */
  readonly expiry?: Partial<ExpiryPolicy>;
  /**
   * How long the inbox knows a message from its arrival on, in milliseconds; null for ever. Beyond what `expiry` keeps,
   * it is of each message a few digests. A message whose first attempt began earlier, and that is not known, is
   * rejected with `too_old_to_deduplicate`. A longer time holds for what arrives from then on.
   *
   * @default the longer of `expiry.succeededMs` and the longest schedule of `retry` plus a day, at most 90 days more
   */
  readonly dedupMs?: number | null;
  /**
   * How long a claim holds without renewal. A dead worker's messages wait this long.
   *
   * @default 60_000
   */
  readonly leaseMs?: number;
  /**
   * How long a handler may take.
   *
   * @default 30_000
   */
  readonly handlerTimeoutMs?: number;
  /**
   * How many handlers of one group run at once. The default fits a pool of 10 connections.
   *
   * @default 5
   */
  readonly concurrency?: number;
  /** Other concurrencies for some groups. */
  readonly groups?: Readonly<Record<string, { readonly concurrency: number }>>;
  /**
   * How many messages are claimed at once for sending.
   *
   * @default 500
   */
  readonly batchSize?: number;
  /**
   * How often a running bus looks for work that nobody told it of.
   *
   * @default 1_000; 30_000 with a store that notifies
   */
  readonly pollMs?: number;
  /**
   * How long a running bus rests at the most before it asks a transport again that it must fetch messages from. It
   * asks sooner after something came.
   *
   * @default 5_000
   */
  readonly pullMs?: number;
  /**
   * How often expired messages are deleted.
   *
   * @default 3_600_000
   */
  readonly pruneEveryMs?: number;
  /**
   * For how long a message is tried, every 30 seconds and by every instance, that has no route or no
   * subscriber, in milliseconds; then it fails. No attempt is counted.
   *
   * @default 3_600_000
   */
  readonly unroutableForMs?: number;
  /**
   * The largest body, in bytes.
   *
   * @default 1 MiB
   */
  readonly maxBodyBytes?: number;
  /** Wraps every publish, the first one outermost. */
  readonly onPublish?: readonly PublishMiddleware[];
  /** Wraps every handler, the first one outermost. */
  readonly onConsume?: readonly ConsumeMiddleware<Tx>[];
  /**
   * The fence in the business database, for half messages whose business data lives elsewhere than the
   * store. A fence serves one keeper of half messages: rows of messages that this bus's store does not
   * have are taken for those of messages long decided, and deleted after a day. Give a second keeper a
   * fence in a schema of its own.
   */
  readonly fence?: Fence<BusinessTx>;
  /** How to ask other participants, by name, for the outcome of half messages they prepared here. */
  readonly checkBacks?: Readonly<Record<string, CheckBack>>;
  /**
   * When check-backs ask about half messages. Fields that are left out keep the defaults.
   *
   * @default DEFAULT_CHECK
   */
  readonly check?: Partial<CheckPolicy>;
  /**
   * How long a participant may take to answer.
   *
   * @default 5_000
   */
  readonly checkTimeoutMs?: number;
  /** Wakes the bus where nothing is resident: without it only a cron that ticks does. A running bus needs none. */
  readonly alarm?: Alarm;
  /** Is told what happens. */
  readonly observe?: Observer;
  /**
   * Where the time comes from.
   *
   * @default the platform's
   */
  readonly clock?: Clock;
  /**
   * Where chance comes from, as numbers in [0, 1). It decides jitter, never safety.
   *
   * @default the platform's
   */
  readonly random?: () => number;
}
