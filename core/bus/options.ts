/**
 * What a bus is made of, and the settings it works with.
 *
 * @module
 */
import { checkCheckPolicy, type CheckPolicy, DEFAULT_CHECK } from "../checkback.ts";
import type { Alarm } from "../alarm.ts";
import { AtlastError } from "../errors.ts";
import { checkExpiryPolicy, DEFAULT_EXPIRY, type ExpiryPolicy } from "../expiry.ts";
import type { Box, LifecyclePolicy } from "../lifecycle.ts";
import { MAX_BODY_BYTES } from "../message.ts";
import { checkPattern } from "../name.ts";
import type { CheckBack, Clock, Fence, Store, StoredRecord, Transport } from "../ports.ts";
import { checkRetryPolicy, DEFAULT_RETRY, type RetryPolicy } from "../retry.ts";
import { detailOf, type FailureDetail } from "./failure_report.ts";
import { guardedClock, guardedRandom } from "./guarded_clock.ts";
import { idSource } from "./ids.ts";
import { checkPorts } from "./check_ports.ts";
import type { ConsumeMiddleware, PublishMiddleware } from "./middleware.ts";
import { guarded, type Observer } from "./observer.ts";
import { type Redact, redacted, redacting } from "./redact.ts";
import { Responder } from "./responder.ts";
import { type InboxMemory, retentionOf } from "./retention.ts";
import type { Subscriber } from "./subscriber.ts";

/** What a bus is made of. Times are in milliseconds. */
export interface BusOptions<Tx = unknown, BusinessTx = unknown> {
  /** Where outbox and inbox live. */
  readonly store: Store<Tx>;
  /** What carries messages to their subscribers. */
  readonly transport: Transport;
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
  /** When failed attempts are tried again; CAP's schedule if not given. */
  readonly retry?: RetryPolicy;
  /** How long settled messages are kept; fields not given are CAP's: 1 day after success, 15 after failure. */
  readonly expiry?: Partial<ExpiryPolicy>;
  /**
   * How long the inbox knows a message from its arrival on, in milliseconds; null for ever. Beyond what `expiry` keeps,
   * it is of each message a few digests. A message whose first attempt began earlier, and that is not known, is
   * rejected with `too_old_to_deduplicate`. A longer time holds for what arrives from then on.
   *
   * @default The longer of `expiry.succeededMs` and the longest schedule of `retry` plus a day, at most 90 days more
   */
  readonly dedupMs?: number | null;
  /** How long a claim holds without renewal; 60,000 if not given. A dead worker's messages wait this long. */
  readonly leaseMs?: number;
  /** How long a handler may take; 30,000 if not given. */
  readonly handlerTimeoutMs?: number;
  /** How many handlers of one group run at once; 5 if not given, so that they fit a pool of 10 connections. */
  readonly concurrency?: number;
  /** Other concurrencies for some groups. */
  readonly groups?: Readonly<Record<string, { readonly concurrency: number }>>;
  /** How many messages are claimed at once for sending; 500 if not given. */
  readonly batchSize?: number;
  /** How often a running bus looks for work that nobody told it of; 1,000 if not given, 30,000 where the store tells. */
  readonly pollMs?: number;
  /**
   * How long a running bus rests at the most before it asks a transport again that it must fetch messages
   * from; 5,000 if not given. It asks sooner after something came.
   */
  readonly pullMs?: number;
  /** How often expired messages are deleted; an hour if not given. */
  readonly pruneEveryMs?: number;
  /**
   * For how long a message is tried, every 30 seconds and by every instance, that has no route or no
   * subscriber, in milliseconds; then it fails. No attempt is counted.
   *
   * @default 3_600_000
   */
  readonly unroutableForMs?: number;
  /** The largest body, in bytes; 1 MiB if not given. */
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
  /** How to ask other active sides, by name, for the outcome of half messages they prepared here. */
  readonly checkBacks?: Readonly<Record<string, CheckBack>>;
  /** When half messages are asked about; fields not given are those of `DEFAULT_CHECK`. */
  readonly check?: Partial<CheckPolicy>;
  /** How long an active side may take to answer; 5,000 if not given. */
  readonly checkTimeoutMs?: number;
  /** Wakes the bus where nothing is resident: without it only a cron that ticks does. A running bus needs none. */
  readonly alarm?: Alarm;
  /** Is told what happens. */
  readonly observe?: Observer;
  /** Where the time comes from; the platform's if not given. */
  readonly clock?: Clock;
  /** Where chance comes from, as numbers in [0, 1); the platform's if not given. It decides jitter, never safety. */
  readonly random?: () => number;
}

/** What the parts of a bus share. */
export interface Settings<Tx> {
  readonly responder: Responder;
  readonly callbackNames: readonly string[] | null;
  readonly failureDetail: FailureDetail;
  /** Takes out of a reason what must not be kept; null where nothing must. */
  readonly redact: Redact | null;
  readonly fence: Fence | undefined;
  readonly checkBacks: ReadonlyMap<string, CheckBack>;
  readonly check: CheckPolicy;
  readonly checkTimeoutMs: number;
  readonly store: Store<Tx>;
  readonly transport: Transport;
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
  readonly maxBodyBytes: number;
  readonly onPublish: readonly PublishMiddleware[];
  readonly onConsume: readonly ConsumeMiddleware<Tx>[];
  readonly alarm: Alarm | undefined;
  readonly observe: Observer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly newId: (nowMs: number) => string;
}

/**
 * Checks options and fills in what was not given.
 *
 * @throws {AtlastError} `invalid_option` that names the option.
 */
export function settingsOf<Tx, BusinessTx>(options: BusOptions<Tx, BusinessTx>): Settings<Tx> {
  const retry = options.retry ?? DEFAULT_RETRY;
  checkRetryPolicy(retry);
  const expiry = { ...DEFAULT_EXPIRY, ...options.expiry };
  checkExpiryPolicy(expiry);
  const check = { ...DEFAULT_CHECK, ...options.check };
  checkCheckPolicy(check);
  const concurrency = count("concurrency", options.concurrency, 5);
  const groups = Object.entries(options.groups ?? {});
  const byGroup = new Map(
    groups.map((
      [group, own],
    ) => [group, count(`groups.${group}.concurrency`, own.concurrency, concurrency)]),
  );
  const redact = options.redact === undefined ? null : redacting(options.redact);
  options.callbackNames?.forEach(checkPattern);
  const observe = redacted(guarded(options.observe), redact);
  const reportOn = (during: string) => (error: unknown) =>
    observe({ kind: "error", during, error });
  checkPorts(options);
  return {
    responder: new Responder(options.service, options.store),
    callbackNames: options.callbackNames ?? null,
    failureDetail: detailOf(options.failureDetail),
    redact,
    store: options.store,
    transport: options.transport,
    retry,
    ...retentionOf(expiry, options.dedupMs, retry),
    fence: options.fence as Fence | undefined,
    checkBacks: new Map(Object.entries(options.checkBacks ?? {})),
    check,
    checkTimeoutMs: positive("checkTimeoutMs", options.checkTimeoutMs, 5_000),
    leaseMs: positive("leaseMs", options.leaseMs, 60_000),
    handlerTimeoutMs: positive("handlerTimeoutMs", options.handlerTimeoutMs, 30_000),
    concurrencyOf: (group) => byGroup.get(group) ?? concurrency,
    batchSize: count("batchSize", options.batchSize, 500),
    pollMs: options.pollMs === undefined ? undefined : positive("pollMs", options.pollMs, 1000),
    pullMs: positive("pullMs", options.pullMs, 5_000),
    pruneEveryMs: positive("pruneEveryMs", options.pruneEveryMs, 60 * 60_000),
    unroutableForMs: positive("unroutableForMs", options.unroutableForMs, 60 * 60_000),
    maxBodyBytes: positive("maxBodyBytes", options.maxBodyBytes, MAX_BODY_BYTES),
    onPublish: options.onPublish ?? [],
    onConsume: options.onConsume ?? [],
    alarm: options.alarm,
    observe,
    clock: guardedClock(options.clock, reportOn("clock")),
    random: guardedRandom(options.random, reportOn("random")),
    newId: idSource(),
  };
}

/** The largest body that this bus publishes, in bytes. */
export function largestBody<Tx>({ maxBodyBytes, transport }: Settings<Tx>): number {
  return Math.min(maxBodyBytes, transport.capabilities.maxBodyBytes);
}

/** How a record of a side is tried and kept. */
export function policyOf<Tx>(
  settings: Settings<Tx>,
  record: Pick<StoredRecord, "box" | "retry">,
  own?: RetryPolicy,
): LifecyclePolicy {
  return { retry: record.retry ?? own ?? settings.retry, expiry: settings.expiry[record.box] };
}

function count(option: string, value: number | undefined, otherwise: number): number {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return value ?? otherwise;
  throw new AtlastError(
    "invalid_option",
    `Cannot make a bus with ${option} ${value}: want a whole number above zero`,
  );
}

function positive(option: string, value: number | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (!(Number.isFinite(value) && value > 0)) {
    throw new AtlastError(
      "invalid_option",
      `Cannot make a bus with ${option} ${value}: want a number above zero`,
    );
  }
  return value;
}
