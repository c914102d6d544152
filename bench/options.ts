/**
 * Reads the command line of `deno task bench`.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type Amounts, FULL, QUICK } from "./amounts.ts";
import { SCENARIOS } from "./plan.ts";
import type { Scenario } from "./scenario.ts";
import { SUBJECT_NAMES, type SubjectName } from "./subjects/registry.ts";

/** What the user asked for. */
export interface Options {
  readonly amounts: Amounts;
  readonly scenarios: readonly Scenario[];
  readonly subjects: readonly SubjectName[];
  readonly databaseUrl: string | null;
  /** The folder for results.json and chart.svg; null if they are not written. */
  readonly out: string | null;
}

const USAGE = `deno task bench [options]
  --quick                 small amounts, one run: shows that everything works, not how fast it is
  --only a,b              measure only these scenarios: ${
  SCENARIOS.map(({ name }) => name).join(", ")
}
  --subjects a,b          measure only these subjects: ${SUBJECT_NAMES.join(", ")}
  --runs N                how many rounds to measure; 3 if not given
                          (a round takes about a quarter of an hour on 2 quiet cores)
  --database-url URL      use this Postgres server instead of starting one
  --out FOLDER            the folder for results.json and chart.svg: bench/ for a full run, else none`;

/** Reads the arguments. Prints the usage and ends the process if they are invalid. */
export function readOptions(args: readonly string[], benchFolder: string): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        subjects: { type: "string" },
        runs: { type: "string" },
        "database-url": { type: "string" },
        out: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) endWith(USAGE, 0);
    const amounts = values.quick ? QUICK : FULL;
    const names = SCENARIOS.flatMap(({ name, second }) =>
      second === undefined ? [name] : [name, second]
    );
    const only = choose("scenario", values.only, names);
    const isFullRun = !values.quick && values.only === undefined && values.subjects === undefined;
    return {
      amounts: { ...amounts, runs: readRuns(values.runs, amounts.runs) },
      scenarios: SCENARIOS.filter(({ name, second = name }) =>
        only.includes(name) || only.includes(second)
      ),
      subjects: choose("subject", values.subjects, SUBJECT_NAMES),
      databaseUrl: values["database-url"] ?? null,
      out: values.out ?? (isFullRun ? benchFolder : null),
    };
  } catch (error) {
    return endWith(`${error instanceof Error ? error.message : error}\n\n${USAGE}`, 2);
  }
}

function choose<Name extends string>(
  what: string,
  list: string | undefined,
  all: readonly Name[],
): readonly Name[] {
  if (list === undefined) return all;
  const names = list.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => !all.some((known) => known === name));
  if (unknown.length > 0) {
    throw new Error(
      `Cannot measure ${what} ${unknown.join(", ")}: it must be one of ${all.join(", ")}`,
    );
  }
  return all.filter((name) => names.includes(name));
}

function readRuns(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const count = Number(text);
  if (!(Number.isInteger(count) && count > 0)) {
    throw new Error(`Cannot use --runs: must be a positive integer, got ${text}`);
  }
  return count;
}

function endWith(text: string, code: number): never {
  console.log(text);
  process.exit(code);
}
