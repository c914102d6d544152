/**
 * `deno task simulate:bugs`: lets the simulation look for each known bug, and prints the table: the bug, the invariant
 * that found it, and after how many seeds. Exit code 1 if one is not found within its seeds.
 *
 * `--from S` begins at another seed, `--seeds N` tries as many whatever the table says, and a text that follows selects
 * the bugs with that text in their name.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { type BugRun, findBugs } from "../tests/simulation/known_bugs/find_bugs.ts";
import { KNOWN_BUGS } from "../tests/simulation/known_bugs/known_bugs.ts";

const { values, positionals } = parseArgs({
  options: {
    from: { type: "string", default: "1" },
    seeds: { type: "string" },
    processes: { type: "string", default: String(availableParallelism()) },
  },
  allowPositionals: true,
});

process.exitCode = await main();

async function main(): Promise<number> {
  const { from, seeds = "1", processes } = values;
  if (![from, seeds, processes].every((number) => /^[1-9]\d*$/.test(number))) {
    console.error("Cannot simulate: want whole numbers for --from, --seeds and --processes");
    return 2;
  }
  const text = positionals.join(" ");
  const bugs = KNOWN_BUGS.filter(({ name }) => name.includes(text));
  let found = 0;
  print("bug", "found after", "within", "by");
  await findBugs(
    bugs.map(({ name, within }) => ({
      name,
      seeds: Number(values.seeds ?? within),
      from: Number(from),
    })),
    (search, run) => {
      if (run.kind === "found") found += 1;
      print(search.name, endOf(run), String(search.seeds), reportOf(run));
    },
    Number(processes),
  );
  console.log(`${bugs.length} known bugs, ${found} found`);
  return found === bugs.length ? 0 : 1;
}

function print(name: string, after: string, within: string, by: string): void {
  console.log(`${name.padEnd(44)} ${after.padStart(11)} ${within.padStart(6)}  ${by}`);
}

function endOf({ kind, seeds }: BugRun): string {
  return kind === "found" ? String(seeds) : kind;
}

/** The invariant, and the first line of what it said. */
function reportOf({ by, what }: BugRun): string {
  return `${by} ${what.split("\n")[0] ?? ""}`.trim().slice(0, 100);
}
