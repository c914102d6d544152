/**
 * The bench's command line.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { type Amounts, FULL, QUICK, type Scenario, SCENARIOS } from "./plan.ts";
import { type SubjectName, SUBJECTS } from "./subjects/registry.ts";

/** What the user asked for. */
export interface Options {
  readonly amounts: Amounts;
  readonly scenarios: readonly Scenario[];
  readonly subjects: readonly SubjectName[];
  readonly databaseUrl: string | null;
  /** Where results and chart go; null to keep none. */
  readonly out: string | null;
}

const USAGE = `deno task bench [options]
  --quick                 small amounts, one run: shows that everything works, says nothing of speed
  --only a,b              only these scenarios: ${SCENARIOS.map(({ name }) => name).join(", ")}
  --subjects a,b          only these subjects: ${SUBJECTS.join(", ")}
  --runs N                how often everything is measured; 3 if not given
                          (once takes about a quarter of an hour on 2 quiet cores)
  --database-url URL      a Postgres server to use instead of one of its own
  --out FOLDER            where results.json and chart.svg go; bench/ for a whole run, else nowhere`;

/** Reads the arguments; ends the process where they make no sense. */
export function readOptions(args: readonly string[], home: string): Options {
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
    if (values.help) end(USAGE, 0);
    const amounts = values.quick ? QUICK : FULL;
    const names = SCENARIOS.flatMap(({ name, second }) =>
      second === undefined ? [name] : [name, second]
    );
    const only = chosen("scenario", values.only, names);
    const isWhole = !values.quick && values.only === undefined && values.subjects === undefined;
    return {
      amounts: { ...amounts, runs: countOf(values.runs, amounts.runs) },
      scenarios: SCENARIOS.filter(({ name, second = name }) =>
        only.includes(name) || only.includes(second)
      ),
      subjects: chosen("subject", values.subjects, SUBJECTS),
      databaseUrl: values["database-url"] ?? null,
      out: values.out ?? (isWhole ? home : null),
    };
  } catch (error) {
    return end(`${error instanceof Error ? error.message : error}\n\n${USAGE}`, 2);
  }
}

function chosen<Name extends string>(
  what: string,
  list: string | undefined,
  all: readonly Name[],
): readonly Name[] {
  if (list === undefined) return all;
  const names = list.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => !all.some((known) => known === name));
  if (unknown.length > 0) throw new Error(`Cannot measure ${what} ${unknown.join(", ")}`);
  return all.filter((name) => names.includes(name));
}

function countOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const count = Number(text);
  if (!(Number.isInteger(count) && count > 0)) {
    throw new Error(`Cannot run ${text} times: want a whole number from 1 on`);
  }
  return count;
}

function end(text: string, code: number): never {
  console.log(text);
  process.exit(code);
}
