/**
 * Formats the runs of a scenario as a Markdown table, which the bench prints.
 *
 * @module
 */
import type { Amounts } from "../amounts.ts";
import { explainWorkload } from "./footnotes.ts";
import { formatNumber } from "./format.ts";
import { medianAndRange, type Run, type ScenarioRuns, summarizeRuns } from "./results.ts";

/** Shown where there is no value. */
const NONE = "-";

/** The costs of a measurement with their column heads. A column is left out if nothing was measured. */
const COSTS = {
  cpuMs: "CPU ms/1k",
  serverCpuMs: "server CPU ms/1k",
  statements: "statements/msg",
  walBytes: "WAL B/msg",
} as const;

/**
 * Formats a scenario. Ratios are taken within each round, because the load on the machine changes
 * between rounds.
 */
export function formatScenario(measured: ScenarioRuns, amounts: Amounts): string {
  const { scenario, runs } = measured;
  const { unit, labels, control } = scenario;
  const reference = runs.get("ref") ?? [];
  const hasReference = reference.length > 0;
  const results = summarizeRuns(measured);
  const fields = Object.keys(COSTS) as (keyof typeof COSTS)[];
  const costs = fields.filter((field) =>
    [...runs.values()].flat().some(({ measurement }) => measurement[field] !== null)
  );
  const rows = [...runs].filter(([, own]) => own.length > 0).map(([subject, own]) => {
    const values = results.filter((result) => result.subject === subject);
    return [
      subject,
      ...values.map(({ median, min, max }) =>
        `${formatNumber(median)} (${formatNumber(min)}-${formatNumber(max)})`
      ),
      ...(hasReference
        ? [subject === "ref" ? "1" : formatRatio(own, (run) => valueInRound(reference, run.round))]
        : []),
      ...(control === undefined ? [] : [formatRatio(own, (run) => run.control?.value ?? null)]),
      ...costs.map((field) => formatCost(own, field)),
    ];
  });
  const head = [
    "subject",
    ...(labels === undefined ? [unit] : labels.map((label) => `${label} ${unit}`)),
    ...(hasReference ? ["of ref"] : []),
    ...(control === undefined ? [] : [`of own ${control}`]),
    ...costs.map((field) => COSTS[field]),
  ];
  const footnotes = [explainWorkload(scenario.workload, amounts), ...formatNotes(runs)]
    .filter((note) => note !== null);
  return [
    `### ${scenario.name}: ${scenario.title}`,
    formatTable([head, ...rows]),
    ...footnotes,
    "",
  ].join("\n\n").trimEnd() + "\n";
}

/** The remarks on single runs. */
function formatNotes(runs: ScenarioRuns["runs"]): string[] {
  return [...runs].flatMap(([subject, own]) =>
    own.flatMap(({ round, measurement: { note } }) =>
      note === null ? [] : [`${subject}, round ${round}: ${note}.`]
    )
  );
}

/** A Markdown table with its columns aligned for the terminal. */
function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length))
  );
  const lines = rows.map((row) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`
  );
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

function formatRatio(runs: readonly Run[], otherOf: (run: Run) => number | null): string {
  const ratios = runs.flatMap((run) => {
    const other = otherOf(run);
    return other === null || other === 0 ? [] : [run.measurement.value / other];
  });
  if (ratios.length === 0) return NONE;
  const { median, min, max } = medianAndRange(ratios);
  return ratios.length === 1
    ? median.toFixed(2)
    : `${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`;
}

function valueInRound(runs: readonly Run[], round: number): number | null {
  return runs.find((run) => run.round === round)?.measurement.value ?? null;
}

function formatCost(runs: readonly Run[], field: keyof typeof COSTS): string {
  const values = runs.map(({ measurement }) => measurement[field]).filter((value) =>
    value !== null
  );
  return values.length === 0 ? NONE : formatNumber(medianAndRange(values).median);
}
