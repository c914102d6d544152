/**
 * Lets the simulation look for known bugs, several at once, each in a process of its own.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** What became of a search. */
export interface BugRun {
  /** `nonsense` when the code with the bug in it fails at once, as any code with a slip would. */
  readonly kind: "found" | "not found" | "nonsense";
  /** After how many seeds. */
  readonly seeds: number;
  /** The invariant that found it. */
  readonly by: string;
  /** What it said. */
  readonly what: string;
}

/** One search. */
export interface Search {
  /** The name of a known bug; empty for the source as it is. */
  readonly name: string;
  /** How many seeds are tried at the most. */
  readonly seeds: number;
  /** The first seed. */
  readonly from: number;
}

const PROGRAM = fileURLToPath(new URL("./find_bug.ts", import.meta.url));
/** After how long a search hangs, in milliseconds. */
const HANGS_MS = 5 * 60_000;

/**
 * Runs searches, as many at once as there are processors; calls `ended` with each that has ended.
 *
 * @throws {Error} If a search could not be run, for instance because an edit does not apply.
 */
export async function findBugs(
  searches: readonly Search[],
  ended: (search: Search, run: BugRun) => void,
  processes: number = availableParallelism(),
): Promise<void> {
  const waiting = [...searches];
  await Promise.all(Array.from({ length: processes }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        ended(next, await findBug(next));
      } catch (error) {
        // The other processes begin no more.
        waiting.length = 0;
        throw error;
      }
    }
  }));
}

async function findBug({ name, seeds, from }: Search): Promise<BugRun> {
  const args = ["run", "-A", "--no-check", PROGRAM, name, `${seeds}`, `${from}`];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    timeout: HANGS_MS,
    killSignal: "SIGKILL",
  });
  return JSON.parse(stdout);
}
