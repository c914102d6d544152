/**
 * Writes `results.json` and `chart.svg`.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderChart } from "./chart.ts";
import { type ResultsFile, type ScenarioRuns, summarizeRuns } from "./results.ts";

/** Writes the results of all scenarios into a folder, which is created if it is missing. */
export function writeResults(
  folder: string,
  { machine, versions }: Omit<ResultsFile, "results">,
  scenarios: readonly ScenarioRuns[],
): void {
  mkdirSync(folder, { recursive: true });
  const results = scenarios.flatMap(summarizeRuns);
  // One result a line, so that a diff shows which ones changed.
  const lines = results.map((result) => `    ${JSON.stringify(result)}`).join(",\n");
  const head = [
    `"machine": ${JSON.stringify(machine)}`,
    `"versions": ${JSON.stringify(versions)}`,
  ];
  writeFileSync(
    join(folder, "results.json"),
    `{\n  ${head.join(",\n  ")},\n  "results": [\n${lines}\n  ]\n}\n`,
  );
  writeFileSync(join(folder, "chart.svg"), renderChart(results));
  console.log(`Wrote ${join(folder, "results.json")} and chart.svg`);
}
