/**
 * The tests that every store must pass.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { StoreCapabilities } from "../../core/ports/store_capabilities.ts";
import { addCases } from "./store/add_cases.ts";
import { claimCases } from "./store/claim_cases.ts";
import { crashCases } from "./store/crash_cases.ts";
import { fieldCases } from "./store/field_cases.ts";
import { halfCases } from "./store/half_cases.ts";
import { idCases, outlineCases, recallCases } from "./store/inspection_cases.ts";
import { isolationCases } from "./store/isolation_cases.ts";
import { lastCases } from "./store/last_cases.ts";
import { lazyCases } from "./store/lazy_cases.ts";
import { lifeCases } from "./store/life_cases.ts";
import { memoryCases } from "./store/memory_cases.ts";
import { modelCases } from "./store/model_cases.ts";
import { pruneCases } from "./store/prune_cases.ts";
import { raceCases } from "./store/race_cases.ts";
import { readCases } from "./store/read_cases.ts";
import { renewCases } from "./store/renew_cases.ts";
import { serviceCases } from "./store/service_cases.ts";
import { settleCases } from "./store/settle_cases.ts";
import { staleCases } from "./store/stale_cases.ts";
import { stepCases } from "./store/step_cases.ts";
import type { StoreCases, StoreSubject } from "./store/subject.ts";
import { unreachableCases } from "./store/unreachable_cases.ts";
import { unroutableCases } from "./store/unroutable_cases.ts";
import { transactionCases } from "./store/transaction_cases.ts";
import { type Cases, runSuite, type Skip, type SuiteOptions } from "./suite.ts";

/** Every case of every store, by topic. */
export const STORE_TOPICS: Readonly<Record<string, Cases<StoreSubject>>> = {
  life: lifeCases,
  fields: fieldCases,
  add: addCases,
  claim: claimCases,
  crash: crashCases,
  settle: settleCases,
  stale: staleCases,
  renew: renewCases,
  half: halfCases,
  race: raceCases,
  read: readCases,
  prune: pruneCases,
  memory: memoryCases,
  outlines: outlineCases,
  "outlines of ids": idCases,
  recall: recallCases,
  transaction: transactionCases,
  isolation: isolationCases,
  service: serviceCases,
  unreachable: unreachableCases,
  unroutable: unroutableCases,
  model: modelCases,
};

/** The cases of what transactions do elsewhere, for stores that have none. */
export const STEP_TOPICS: Readonly<Record<string, Cases<StoreSubject>>> = { step: stepCases };

/** How the store suite is run on one adapter. */
export interface StoreSuiteOptions extends SuiteOptions<StoreSubject> {
  /** What the store must say it can do; what it cannot is skipped. */
  readonly capabilities: StoreCapabilities;
  /** Whether it has `settleAsLast`; no if not given. */
  readonly settlesAsLast?: boolean;
}

/** Runs every store case on one adapter. */
export function storeSuite(name: string, options: StoreSuiteOptions): void {
  const { capabilities } = options;
  const skip: Skip[] = [...options.skip ?? []];
  if (!capabilities.transactions) {
    const tests = Object.keys({ ...transactionCases, ...isolationCases });
    skip.push({ reason: "it has no transactions", tests });
  }
  const topics = {
    capabilities: declared(capabilities),
    ...STORE_TOPICS,
    ...(capabilities.transactions ? {} : STEP_TOPICS),
    ...(capabilities.lazyTransactions ? { lazy: lazyCases } : {}),
    ...(options.settlesAsLast ? { last: lastCases } : {}),
  };
  runSuite(name, topics, { ...options, skip });
}

function declared(capabilities: StoreCapabilities): StoreCases {
  return {
    "it says what it can do": ({ store }) => {
      assert.deepEqual({ ...store.capabilities }, capabilities);
      return Promise.resolve();
    },
  };
}
