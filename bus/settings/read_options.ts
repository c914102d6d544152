/**
 * Turns the options of a bus into its settings.
 *
 * @module
 */
import type { BusOptions } from "../api/bus_options.ts";
import { DEFAULT_CHECK } from "../../core/lifecycle/check_back.ts";
import { definedOf } from "./defined_fields.ts";
import { DEFAULT_EXPIRY } from "../../core/lifecycle/expiry.ts";
import { CLOCK_TOLERANCE_MS } from "../../core/message/deadline.ts";
import { MAX_BODY_BYTES } from "../../core/message/message.ts";
import type { Fence } from "../../core/ports/fence.ts";
import { DEFAULT_RETRY } from "../../core/lifecycle/retry.ts";
import { checkBusOptions } from "./check_bus_options.ts";
import { DEFAULT_HANDLER_TIMEOUT_MS, DEFAULT_LEASE_MS } from "./common_options.ts";
import { followingOf, guardedClock, guardedRandom } from "./guarded_clock.ts";
import { idSource } from "./ids.ts";
import { portsOf } from "./check_ports.ts";
import { FailingNames } from "./failing_names.ts";
import { observerOf } from "./failure_log.ts";
import { redacting } from "./redact.ts";
import { Responder } from "./responder.ts";
import { retentionOf } from "./retention.ts";
import { routingOf, sharedStoreOf } from "./shared_store.ts";
import type { Settings } from "./settings.ts";
import { Subscriptions } from "./subscriptions.ts";

/**
 * Checks options and fills in the defaults.
 *
 * @throws {AtlastError} `invalid_option`, which names the option.
 */
export function settingsOf<Tx, BusinessTx>(options: BusOptions<Tx, BusinessTx>): Settings<Tx> {
  checkBusOptions(options);
  const { retry = DEFAULT_RETRY, concurrency = 5 } = options;
  const expiry = { ...DEFAULT_EXPIRY, ...definedOf(options.expiry) };
  const check = { ...DEFAULT_CHECK, ...definedOf(options.check) };
  const groups = new Map(Object.entries(options.groups ?? {}));
  const redact = options.redact === undefined ? null : redacting(options.redact);
  const observe = observerOf(options, redact);
  const reportOn = (during: string) => (error: unknown) =>
    observe({ kind: "error", during, error });
  const { store, transport } = portsOf(options);
  const subscriptions = new Subscriptions<Tx>();
  const sharedStore = sharedStoreOf(options.sharedStore, subscriptions);
  const clock = guardedClock(options.clock ?? store.clock, reportOn("clock"));
  const failingNames = new FailingNames();
  return {
    responder: new Responder(options.service, options.store),
    callbackNames: options.callbackNames ?? null,
    failureDetail: options.failureDetail ?? "class",
    redact,
    store,
    sender: {},
    transport,
    subscriptions,
    sharedStore,
    routing: routingOf(transport, sharedStore),
    retry,
    ...retentionOf(expiry, options.dedupMs, retry),
    fence: options.fence as Fence | undefined,
    checkBacks: new Map(Object.entries(options.checkBacks ?? {})),
    check,
    checkTimeoutMs: options.checkTimeoutMs ?? 5_000,
    leaseMs: options.leaseMs ?? DEFAULT_LEASE_MS,
    handlerTimeoutMs: options.handlerTimeoutMs ?? DEFAULT_HANDLER_TIMEOUT_MS,
    concurrencyOf: (group) => groups.get(group)?.concurrency ?? concurrency,
    batchSize: options.batchSize ?? 500,
    pollMs: options.pollMs,
    pullMs: options.pullMs ?? 5_000,
    pruneEveryMs: options.pruneEveryMs ?? 60 * 60_000,
    unroutableForMs: options.unroutableForMs ?? 60 * 60_000,
    resumePerSecond: resumePerSecondOf(options.resumeOnRecovery),
    clockToleranceMs: options.clockToleranceMs ?? CLOCK_TOLERANCE_MS,
    orphanAfterMs: options.orphanAfterMs ?? 5 * 60_000,
    invalidBodyForMs: options.invalidBodyForMs ?? 0,
    maxBodyBytes: options.maxBodyBytes ?? MAX_BODY_BYTES,
    onPublish: options.onPublish ?? [],
    onConsume: options.onConsume ?? [],
    alarm: options.alarm,
    observe: (event) => {
      failingNames.note(event, () => clock.now());
      observe(event);
    },
    failingNames,
    clock,
    followClock: followingOf(options, reportOn("clock")),
    random: guardedRandom(options.random, reportOn("random")),
    newId: idSource(),
  };
}

/** The default of `resumeOnRecovery.perSecond`. */
const RESUMES_PER_SECOND = 50;

function resumePerSecondOf(option: BusOptions["resumeOnRecovery"] = false): number | null {
  if (typeof option === "boolean") return option ? RESUMES_PER_SECOND : null;
  return option.perSecond ?? RESUMES_PER_SECOND;
}
