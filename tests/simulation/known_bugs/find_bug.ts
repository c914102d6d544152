/**
 * Runs seeds of the simulation with a bug in it, until one finds it, and prints the result as JSON. `findBugs` runs it
 * as a process: `find_bug.ts NAME SEEDS FROM`; without a name the source is as it is.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { bundleWith } from "./bundle.ts";
import type { BugRun } from "./find_bugs.ts";
import type { Edit } from "./known_bug.ts";
import { KNOWN_BUGS } from "./known_bugs.ts";

/** An error of the language says that the edit is no bug but nonsense, which any test would find. */
const NONSENSE = /\b(?:Type|Reference|Range|Syntax)Error\b/;

const [name = "", seeds = "1", from = "1"] = process.argv.slice(2);
const bug = KNOWN_BUGS.find((each) => each.name === name);
if (bug === undefined && name !== "") throw new Error(`Cannot find bug "${name}": no such bug`);
const result = await run(bug?.edits ?? [], Number(seeds), Number(from));
console.log(JSON.stringify(result));
process.exit(0);

async function run(edits: readonly Edit[], seeds: number, from: number): Promise<BugRun> {
  const runSeed = await simulationWith(edits);
  for (let tried = 1; tried <= seeds; tried++) {
    try {
      await runSeed(from + tried - 1);
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      if (error instanceof Error && !NONSENSE.test(`${error.name} ${what}`)) {
        return { kind: "found", seeds: tried, by: invariantOf(error), what };
      }
      return { kind: "nonsense", seeds: tried, by: "", what: String(error) };
    }
  }
  return { kind: "not found", seeds, by: "", what: "" };
}

async function simulationWith(edits: readonly Edit[]) {
  const folder = mkdtempSync(join(tmpdir(), "atlast-known-bug-"));
  try {
    const file = join(folder, "simulation.mjs");
    writeFileSync(file, await bundleWith(edits));
    const { runSeed }: typeof import("../run_seed.ts") = await import(pathToFileURL(file).href);
    return runSeed;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The invariant that does not hold. */
function invariantOf(error: object): string {
  return "invariant" in error ? String(error.invariant) : "the simulation";
}
