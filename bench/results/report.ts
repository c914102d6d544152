/**
 * Tables for people.
 *
 * @module
 */
import { footnoteOf } from "./footnotes.ts";
import type { Amounts } from "../plan.ts";
import { type Outcome, resultsOf, type Run, spread } from "./results.ts";
import type { SubjectName } from "../subjects/registry.ts";

const NONE = "-";

/** What a measurement cost, if anything of it was taken, and how the table calls it. */
const COSTS = {
  cpuMs: "CPU ms/1k",
  serverCpuMs: "server CPU ms/1k",
  statements: "statements/msg",
  walBytes: "WAL B/msg",
} as const;

/** A scenario's table. Ratios are taken round by round: the machine changes between rounds. */
export function tableOf(outcome: Outcome, amounts: Amounts): string {
  const { scenario, runs } = outcome;
  const { unit, labels, control } = scenario;
  const reference = runs.get("ref") ?? [];
  const hasReference = reference.length > 0;
  const results = resultsOf(outcome);
  const fields = Object.keys(COSTS) as (keyof typeof COSTS)[];
  const costs = fields.filter((field) =>
    [...runs.values()].flat().some(({ measurement }) => measurement[field] !== null)
  );
  const rows = [...runs].filter(([, own]) => own.length > 0).map(([subject, own]) => {
    const [first, second] = results.filter((result) => result.subject === subject);
    return [
      subject,
      ...[first, second].filter((result) => result !== undefined)
        .map(({ median, min, max }) => `${number(median)} (${number(min)}-${number(max)})`),
      ...(hasReference
        ? [subject === "ref" ? "1" : ratio(own, (run) => valueIn(reference, run.round))]
        : []),
      ...(control === undefined ? [] : [ratio(own, (run) => run.control?.value ?? null)]),
      ...costs.map((field) => average(own, field)),
    ];
  });
  const head = [
    "subject",
    ...(labels === undefined ? [unit] : labels.map((label) => `${label} ${unit}`)),
    ...(hasReference ? ["of ref"] : []),
    ...(control === undefined ? [] : [`of own ${control}`]),
    ...costs.map((field) => COSTS[field]),
  ];
  const notes = [footnoteOf(scenario.load, amounts), ...notesOf(runs)].filter((note) =>
    note !== null
  );
  return [`### ${scenario.name}: ${scenario.title}`, markdown([head, ...rows]), ...notes, ""]
    .join("\n\n").trimEnd() + "\n";
}

/** What was noted of single runs. */
function notesOf(runs: Outcome["runs"]): string[] {
  return [...runs].flatMap(([subject, own]) =>
    own.flatMap(({ round, measurement: { note } }) =>
      note === null ? [] : [`${subject}, round ${round}: ${note}.`]
    )
  );
}

/** A table in Markdown, its columns aligned for the terminal. */
export function markdown(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length))
  );
  const lines = rows.map((row) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`
  );
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [lines[0], rule, ...lines.slice(1)].join("\n");
}

/** A number with the digits that mean something. */
export function number(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}

function ratio(runs: readonly Run[], otherOf: (run: Run) => number | null): string {
  const ratios = runs.flatMap((run) => {
    const other = otherOf(run);
    return other === null || other === 0 ? [] : [run.measurement.value / other];
  });
  if (ratios.length === 0) return NONE;
  const { median, min, max } = spread(ratios);
  return ratios.length === 1
    ? median.toFixed(2)
    : `${median.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`;
}

function valueIn(runs: readonly Run[], round: number): number | null {
  return runs.find((run) => run.round === round)?.measurement.value ?? null;
}

function average(runs: readonly Run[], field: keyof typeof COSTS): string {
  const values = runs.map(({ measurement }) => measurement[field]).filter((value) =>
    value !== null
  );
  return values.length === 0 ? NONE : number(spread(values).median);
}

/** A subject's name as readers know it. */
export function labelOf(subject: SubjectName): string {
  return subject === "ref" ? "by hand" : subject;
}
