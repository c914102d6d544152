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
import type { Logger } from "./logger.ts";
import type { Observer } from "./observer.ts";
import type { SharedStoreOptions } from "./shared_store_options.ts";
import type { Subscriber } from "./subscriber.ts";

/** The options of a bus. Times are in milliseconds. */
export interface BusOptions<Tx = unknown, BusinessTx = unknown> {
  /** The store of outbox and inbox. */
  readonly store: Store<Tx>;
  /** Carries messages to their subscribers. May be left out with `sharedStore`. */
  readonly transport?: Transport;
  /**
   * For subscribers that use the store of this bus, in this process or another, such as the workers
   * of an API: `true` for the subscribers of this bus, `{ groups }` to name those of other processes
   * too. A message for them is one record in the inbox of each group, added in the publisher's
   * transaction, and is not sent. So a published message is already in the inbox: `cancel` finds it
   * only while it is delayed, and the option `retry` of a publish, which is for sending, has no
   * effect. On a store without transactions it goes through the outbox. The transport sends the
   * messages that no group takes from the store, and those with a `destination`.
   *
   * @default false
   */
  readonly sharedStore?: boolean | SharedStoreOptions;
  /**
   * The name of this service: 1 to 100 letters, digits, `_`, `-` and dots, unique among your
   * services. The ids of its replies and failure callbacks are derived from it, so that those of
   * two services differ. Do not change it: a message that is handled again would then be answered
   * with another id.
   *
   * @default a random id, which the store keeps from the first start
   */
  readonly service?: string;
  /**
   * The callback names, or patterns of them, that messages from any sender may request for
   * callbacks and failure callbacks. A message that requests another name is rejected when it
   * arrives.
   *
   * @default any name that its sender may request
   */
  readonly callbackNames?: readonly string[];
  /**
   * How much a failure callback tells another service about a failure: only its class (`code` and a
   * fixed text), or also the text of the error. The text may contain anything, such as the URL of a
   * database.
   *
   * @default "class"
   */
  readonly failureDetail?: FailureDetail;
  /**
   * Removes text that must not be stored or logged. It gets the reasons of failures before they are
   * stored, observed and logged, and the messages and stacks of errors before they are observed and
   * logged. If it throws, the whole text is withheld.
   *
   * @default nothing is removed
   */
  readonly redact?: (text: string) => string;
  /**
   * The subscribers. If you pass them as the second argument of `createBus` instead, TypeScript
   * infers the type of `tx` from the store.
   */
  // deno-lint-ignore no-explicit-any -- within one object literal TypeScript cannot infer Tx for them.
  readonly subscribers?: readonly Subscriber<any>[];
  /**
   * When failed attempts are retried.
   *
   * @default CAP's schedule
   */
  readonly retry?: RetryPolicy;
  /**
   * How long settled messages are kept. Omitted fields have the defaults of `DEFAULT_EXPIRY`.
   *
   * @default CAP's: 1 day after success, 15 days after failure
   */
  readonly expiry?: Partial<ExpiryPolicy>;
  /**
   * How long after its arrival the inbox recognises a message, in milliseconds; null for ever.
   * After `expiry` has passed, it stores only a few digests of each message. An unknown message
   * whose first attempt began earlier than this is rejected with `too_old_to_deduplicate`. A longer
   * time applies only to messages that arrive after the change.
   *
   * @default the longer of `expiry.succeededMs` and the longest schedule of `retry` plus a day, at most 90 days more
   */
  readonly dedupMs?: number | null;
  /**
   * How long a claim lasts without renewal. The messages of a worker that died wait this long.
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
   * How many handlers of one group run at once. The default suits a pool of 10 connections.
   *
   * @default 5
   */
  readonly concurrency?: number;
  /** The concurrency of single groups. */
  readonly groups?: Readonly<Record<string, { readonly concurrency: number }>>;
  /**
   * How many messages are claimed at once for sending, at most. Slow sends are claimed in batches of the transport, so
   * that the instances of one outbox share them.
   *
   * @default 500
   */
  readonly batchSize?: number;
  /**
   * How often a running bus polls for work of which it was not notified.
   *
   * @default 1_000; 30_000 with a store that notifies
   */
  readonly pollMs?: number;
  /**
   * The longest pause of a running bus between two pulls from a transport that does not push. The
   * pause is shorter after a pull that returned messages.
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
   * How long a message without a route or subscriber is tried, in milliseconds. Every instance
   * tries it every 30 seconds; then it fails. These tries do not count as attempts.
   *
   * @default 3_600_000
   */
  readonly unroutableForMs?: number;
  /**
   * Whether the first success towards a destination makes the messages due that wait for it because it could not
   * be reached: it refused the connection, did not answer in time, or the answer was 502, 503 or 504. `perSecond`
   * is how many become due in a second. Each attempt counts, and a message is made due early 5 times at most.
   *
   * Messages that wait for another reason keep their time. Works on Postgres, PGlite and in memory, with the HTTP
   * transport. Off by default, because CAP's schedule is the default to the millisecond.
   *
   * @default false, and 50 a second
   */
  readonly resumeOnRecovery?: boolean | { readonly perSecond?: number };
  /**
   * How far the clock of a publisher may differ from this service's, in milliseconds. The deadline of a message
   * that a queue carried is checked with it. A message that came directly carries the time that is left instead.
   *
   * @default 60_000
   */
  readonly clockToleranceMs?: number;
  /**
   * How long messages of the inbox may be due before they count as orphans, in milliseconds: if no
   * worker has claimed any of a name and group by then, and this bus does not subscribe to them.
   *
   * @default 300_000
   */
  readonly orphanAfterMs?: number;
  /**
   * How long a message is tried whose body does not fit the contract of its subscriber, in
   * milliseconds from its arrival; then it fails. Use it for rolling deploys, in which an old
   * instance may get a body of the new version: each instance releases such a message for 30
   * seconds, until one accepts it. These tries do not count as attempts.
   *
   * @default 0, which means that it fails at once
   */
  readonly invalidBodyForMs?: number;
  /**
   * The largest body, in bytes, that is published or received; of those published, not more than the transport
   * carries (1 MiB). A larger one that arrives is rejected with `too_large`, and its sender fails it for good.
   *
   * @default 1 MiB
   */
  readonly maxBodyBytes?: number;
  /** Middleware around every publish; the first one is outermost. */
  readonly onPublish?: readonly PublishMiddleware[];
  /** Middleware around every handler; the first one is outermost. */
  readonly onConsume?: readonly ConsumeMiddleware<Tx>[];
  /**
   * The fence in the business database, for half messages whose business data is not in the store.
   * A fence serves one keeper of half messages: a row whose message is not in this bus's store
   * counts as decided long ago, and is deleted after a day. Give a second keeper its own fence in
   * another schema.
   */
  readonly fence?: Fence<BusinessTx>;
  /**
   * The check-backs to other participants, by name, for the half messages that they prepared here.
   */
  readonly checkBacks?: Readonly<Record<string, CheckBack>>;
  /**
   * When half messages are checked back. Omitted fields have the defaults.
   *
   * @default DEFAULT_CHECK
   */
  readonly check?: Partial<CheckPolicy>;
  /**
   * How long a participant may take to answer a check-back.
   *
   * @default 5_000
   */
  readonly checkTimeoutMs?: number;
  /**
   * Wakes a bus that is not running, where no process is resident. Without it, only a cron job that
   * ticks does. A running bus needs none.
   */
  readonly alarm?: Alarm;
  /** Called with every event of the bus. */
  readonly observe?: Observer;
  /**
   * Where failures are logged, one line and a stack for each: a handler that threw, a send that
   * failed, a message that failed for good or was rejected, one without a route or subscriber, a
   * half message in doubt, an error of background work. The text has the message's name, id, group
   * and attempt, never its body or headers. Any logger with `error` and `warn` fits. `false` logs
   * nothing.
   *
   * @default console
   */
  readonly logger?: Logger | false;
  /**
   * The clock.
   *
   * @default the store's, which on Postgres follows the server's; otherwise the platform's
   */
  readonly clock?: Clock;
  /**
   * The source of random numbers in [0, 1). It is used for jitter, never for safety.
   *
   * @default the platform's
   */
  readonly random?: () => number;
}
