/**
 * The suite of every store.
 *
 * @module
 */
import assert from "node:assert/strict";
import { aFlag, aNumber, nested } from "../../../core/check_options.ts";
import type { StoreCapabilities } from "../../../core/ports/store_capabilities.ts";
import { addCases } from "./add_cases.ts";
import { claimCases } from "./claim_cases.ts";
import { crashCases } from "./crash_cases.ts";
import { fieldCases } from "./field_cases.ts";
import { halfCases } from "./half_cases.ts";
import { idCases, outlineCases, recallCases } from "./inspection_cases.ts";
import { isolationCases } from "./isolation_cases.ts";
import { lastCases } from "./last_cases.ts";
import { lazyCases } from "./lazy_cases.ts";
import { lifeCases } from "./life_cases.ts";
import { memoryCases } from "./memory_cases.ts";
import { modelCases } from "./model_cases.ts";
import { pruneCases } from "./prune_cases.ts";
import { raceCases } from "./race_cases.ts";
import { readCases } from "./read_cases.ts";
import { renewCases } from "./renew_cases.ts";
import { serviceCases } from "./service_cases.ts";
import { settleCases } from "./settle_cases.ts";
import { staleCases } from "./stale_cases.ts";
import { stepCases } from "./step_cases.ts";
import type { StoreCases, StoreSubject } from "./subject.ts";
import { unreachableCases } from "./unreachable_cases.ts";
import { unroutableCases } from "./unroutable_cases.ts";
import { transactionCases } from "./transaction_cases.ts";
import {
  type Cases,
  checkSuiteOptions,
  type ConformanceCase,
  type Skip,
  suiteOf,
  type SuiteOptions,
} from "../suite.ts";

/** The seed of the random sequences, unless the author chooses one. */
const SEED = 20261122;

/** Every case of every store, by topic. */
function storeTopics(seed: number = SEED): Readonly<Record<string, Cases<StoreSubject>>> {
  return {
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
    model: modelCases(seed),
  };
}

/** What fast-check takes for a seed. */
const A_SEED = aNumber({ whole: true, least: -(2 ** 31), most: 2 ** 31 - 1 });

/** What a store says it can do. */
const CAPABILITIES = nested(
  {
    atomicSettleAndAdd: aFlag,
    deferredSettle: aFlag,
    lazyTransactions: aFlag,
    notifications: aFlag,
  },
  { transactions: aFlag, durable: aFlag, shared: aFlag },
);

/** The cases of what transactions do elsewhere, for stores that have none. */
const STEP_TOPICS: Readonly<Record<string, Cases<StoreSubject>>> = { step: stepCases };

/** How the suite is run on one store. */
export interface StoreSuiteOptions extends SuiteOptions<StoreSubject> {
  /** What the store must say it can do. The cases of what it cannot do are left out. */
  readonly capabilities: StoreCapabilities;
  /**
   * Whether it has `settleAsLast`.
   *
   * @default false
   */
  readonly settlesAsLast?: boolean;
  /**
   * The seed of the random sequences. A failure names it.
   *
   * @default 20261122
   */
  readonly seed?: number;
}

/**
 * Makes the conformance suite of a store: a case for each thing that every store must keep.
 *
 * @throws {AtlastError} `invalid_option` if an option is none, or `skip` names a case that there is not.
 */
export function storeSuite(options: StoreSuiteOptions): ConformanceCase[] {
  checkSuiteOptions(options, { settlesAsLast: aFlag, seed: A_SEED }, {
    capabilities: CAPABILITIES,
  });
  const { capabilities, settlesAsLast, seed } = options;
  const skip: Skip[] = [...options.skip ?? []];
  if (!capabilities.transactions) {
    skip.push({ reason: "it has no transactions", topics: ["transaction", "isolation"] });
  }
  const topics = {
    capabilities: declared(capabilities),
    ...storeTopics(seed),
    ...(capabilities.transactions ? {} : STEP_TOPICS),
    ...(capabilities.lazyTransactions ? { lazy: lazyCases } : {}),
    ...(settlesAsLast ? { last: lastCases } : {}),
  };
  return suiteOf(topics, { ...options, skip });
}

function declared(capabilities: StoreCapabilities): StoreCases {
  return {
    "it says what it can do": ({ store }) => {
      assert.deepEqual({ ...store.capabilities }, capabilities);
      return Promise.resolve();
    },
  };
}
