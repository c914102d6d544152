/**
 * Checks the types of the options of a bus.
 *
 * @module
 */
import {
  aFunction,
  aList,
  aNumber,
  anything,
  checkOptions,
  eachOf,
  nested,
  type OptionCheck,
  orNull,
  withMethods,
} from "../../core/check_options.ts";
import { checkCheckPolicy } from "../../core/lifecycle/check_back.ts";
import { checkExpiryPolicy } from "../../core/lifecycle/expiry.ts";
import { COMMON_OPTIONS } from "./common_options.ts";
import { aSubscriber } from "../api/subscriber.ts";
import type { BusOptions } from "../api/bus_options.ts";

const TIME = aNumber();
const COUNT = aNumber({ whole: true, most: Number.MAX_SAFE_INTEGER });

/** The check of each option of a bus. */
export const BUS_OPTIONS: Readonly<Record<keyof BusOptions, OptionCheck>> = {
  ...COMMON_OPTIONS,
  store: anything,
  transport: anything,
  sharedStore: anything,
  subscribers: aList(aSubscriber),
  expiry: (_option, value) => checkExpiryPolicy(value as never),
  dedupMs: orNull(aNumber({ most: Infinity, or: ", or null for ever" })),
  leaseMs: TIME,
  concurrency: COUNT,
  groups: eachOf(nested({}, { concurrency: COUNT })),
  batchSize: COUNT,
  pollMs: TIME,
  pullMs: TIME,
  pruneEveryMs: TIME,
  unroutableForMs: TIME,
  orphanAfterMs: TIME,
  invalidBodyForMs: aNumber({ least: 0 }),
  resumeOnRecovery: (option, value, attempt) => {
    if (typeof value !== "boolean") nested({}, { perSecond: TIME })(option, value, attempt);
  },
  maxBodyBytes: TIME,
  onPublish: aList(aFunction),
  fence: withMethods("ready", "commit", "transaction", "check"),
  checkBacks: eachOf(withMethods("check")),
  check: (_option, value) => checkCheckPolicy(value as never),
  checkTimeoutMs: TIME,
  alarm: withMethods("arm"),
};

/**
 * Checks the types of the options of a bus.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`.
 */
export function checkBusOptions<Tx, BusinessTx>(options: BusOptions<Tx, BusinessTx>): void {
  checkOptions("make a bus with", options, BUS_OPTIONS);
}
