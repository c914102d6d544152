/**
 * The tests that every fence must pass.
 *
 * @module
 */
import { askCases } from "./fence/ask_cases.ts";
import { commitCases } from "./fence/commit_cases.ts";
import { pruneCases } from "./fence/prune_cases.ts";
import type { FenceSubject } from "./fence/subject.ts";
import { runSuite, type SuiteOptions } from "./suite.ts";

/** Runs every fence case on one adapter. */
export function fenceSuite(name: string, options: SuiteOptions<FenceSubject>): void {
  runSuite(name, { ask: askCases, commit: commitCases, prune: pruneCases }, options);
}
