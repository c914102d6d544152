/**
 * The suite of every fence.
 *
 * @module
 */
import { checkSuiteOptions, type ConformanceCase, suiteOf, type SuiteOptions } from "../suite.ts";
import { checkCases } from "./check_cases.ts";
import { commitCases } from "./commit_cases.ts";
import { pruneCases } from "./prune_cases.ts";
import type { FenceSubject } from "./subject.ts";

/**
 * Makes the conformance suite of a fence: a case for each thing that every fence must keep.
 *
 * @throws {AtlastError} `invalid_option` if an option is none, or `skip` names a case that there is not.
 */
export function fenceSuite(options: SuiteOptions<FenceSubject>): ConformanceCase[] {
  checkSuiteOptions(options);
  return suiteOf({ check: checkCases, commit: commitCases, prune: pruneCases }, options);
}
