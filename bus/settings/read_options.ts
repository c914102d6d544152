/**
 * Turns the options of a bus into its settings.
 *
 * @module
 */
import type { BusOptions } from "../api/bus_options.ts";
import { checkCheckPolicy, DEFAULT_CHECK } from "../../core/lifecycle/check_back.ts";
import { checkExpiryPolicy, DEFAULT_EXPIRY } from "../../core/lifecycle/expiry.ts";
import { MAX_BODY_BYTES } from "../../core/message/message.ts";
import { checkPattern } from "../../core/message/name.ts";
import type { Fence } from "../../core/ports/fence.ts";
import { checkRetryPolicy, DEFAULT_RETRY } from "../../core/lifecycle/retry.ts";
import { detailOf } from "../api/failure_report.ts";
import { guardedClock, guardedRandom } from "./guarded_clock.ts";
import { idSource } from "./ids.ts";
import { portsOf } from "./check_ports.ts";
import { observerOf } from "./failure_log.ts";
import { redacting } from "./redact.ts";
import { Responder } from "./responder.ts";
import { retentionOf } from "./retention.ts";
import { routingOf, sharedStoreOf } from "./shared_store.ts";
import { count, positive, type Settings } from "./settings.ts";
import { Subscriptions } from "./subscriptions.ts";

/**
 * Checks options and fills in the defaults.
 *
 * @throws {AtlastError} `invalid_option`, which names the option.
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
  const observe = observerOf(options, redact);
  const reportOn = (during: string) => (error: unknown) =>
    observe({ kind: "error", during, error });
  const { store, transport } = portsOf(options);
  const subscriptions = new Subscriptions<Tx>();
  const sharedStore = sharedStoreOf(options.sharedStore, subscriptions);
  return {
    responder: new Responder(options.service, options.store),
    callbackNames: options.callbackNames ?? null,
    failureDetail: detailOf(options.failureDetail),
    redact,
    store,
    transport,
    subscriptions,
    sharedStore,
    routing: routingOf(transport, sharedStore),
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
