/**
 * `deno task docs` writes the results in `docs/benchmarks.md` with this, from `bench/results.json`, so that no
 * figure is copied by hand. `tests/laws/pages_test.ts` fails when the page is not current.
 *
 * @module
 */
import { SCENARIOS } from "../bench/plan.ts";
import { labelOf, number } from "../bench/report.ts";
import type { Result } from "../bench/results.ts";
import { type GeneratedPage, readSource } from "./docs/markdown.ts";

const BEGIN = "<!-- results:begin -->";
const END = "<!-- results:end -->";
const NONE = "";

/** The page of benchmarks, of which the results are generated. */
export const benchmarksPage: GeneratedPage = {
  path: "docs/benchmarks.md",
  text: (current) => {
    const results = JSON.parse(readSource("bench/results.json")) as Result[];
    return withResults(current, results);
  },
};

/** The page with a table of the results. */
export function withResults(page: string, results: readonly Result[]): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new Error(`Cannot write the results: the page has no ${BEGIN} … ${END}`);
  }
  return `${page.slice(0, begin)}${BEGIN}\n\n${resultsTable(results)}\n\n${page.slice(end)}`;
}

/** A line for each result of each scenario, a column for each subject. */
function resultsTable(results: readonly Result[]): string {
  const lines = SCENARIOS.flatMap(({ name, title, second, labels }) => [
    { name, title: labels === undefined ? title : `${title}: ${labels[0]}` },
    ...(second === undefined ? [] : [{ name: second, title: `${title}: ${labels?.[1]}` }]),
  ]).map((line) => ({ ...line, own: results.filter(({ scenario }) => scenario === line.name) }))
    .filter(({ own }) => own.length > 0);
  const subjects = [...new Set(lines.flatMap(({ own }) => own.map(({ subject }) => subject)))];
  return tableOf(
    ["scenario", "unit", ...subjects.map(labelOf)],
    lines.map(({ title, name, own }) => [
      `${title} (\`${name}\`)`,
      own[0]!.unit,
      ...subjects.map((subject) => {
        const result = own.find((one) => one.subject === subject);
        return result === undefined ? NONE : number(result.median);
      }),
    ]),
  );
}

function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}
