/**
 * Registers the cases of a conformance suite as tests of `node:test`.
 *
 * @module
 */
import { describe, it } from "node:test";
import {
  type ConformanceCase,
  type FenceSubject,
  fenceSuite,
  storeSuite,
  type StoreSuiteOptions,
  type SuiteOptions,
  transportSuite,
  type TransportSuiteOptions,
} from "../../devtools/conformance/mod.ts";
import { SEED } from "../support/property.ts";
import { skipFor } from "../support/skip.ts";

/** Where a suite runs. */
interface Availability {
  /** Why the whole suite cannot run here, such as a server that is missing; null when it can. */
  readonly unavailable?: string | null;
}

/** Tests a store. */
export function testStore(
  name: string,
  { unavailable, ...options }: StoreSuiteOptions & Availability,
): void {
  testSuite(name, storeSuite({ seed: SEED, ...options }), unavailable);
}

/** Tests a fence. */
export function testFence(
  name: string,
  { unavailable, ...options }: SuiteOptions<FenceSubject> & Availability,
): void {
  testSuite(name, fenceSuite(options), unavailable);
}

/** Tests a transport. */
export function testTransport(
  name: string,
  { unavailable, ...options }: TransportSuiteOptions & Availability,
): void {
  testSuite(name, transportSuite(options), unavailable);
}

function testSuite(
  name: string,
  suite: readonly ConformanceCase[],
  unavailable: string | null = null,
): void {
  if (unavailable !== null) {
    it(`${name}: all cases`, { skip: skipFor(unavailable) }, () => {});
    return;
  }
  for (const topic of new Set(suite.map((each) => each.topic))) {
    describe(`${name}: ${topic}`, () => {
      for (const { name: title, skip, run } of suite.filter((each) => each.topic === topic)) {
        if (skip === null) it(title, run);
        else it(title, { skip: skipFor(`${name}: ${title}: ${skip}`) }, () => {});
      }
    });
  }
}
