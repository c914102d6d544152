/**
 * Tables for people.
 *
 * @module
 */
import type { Measurement } from "./measure.ts";
import { type Outcome, resultsOf, type Run, spread } from "./results.ts";
import type { SubjectName } from "./subjects/load.ts";

const NONE = "-";

/** A scenario's table. Ratios are taken round by round: the machine changes between rounds. */
export function tableOf(outcome: Outcome): string {
  const { scenario, runs } = outcome;
  const reference = runs.get("ref") ?? [];
  const results = resultsOf(outcome);
  const rows = [...runs].filter(([, own]) => own.length > 0).map(([subject, own]) => {
    const [first, second] = results.filter((result) => result.subject === subject);
    return [
      subject,
      ...[first, second].filter((result) => result !== undefined)
        .map(({ median, min, max }) => `${number(median)} (${number(min)}-${number(max)})`),
      subject === "ref" ? "1" : ratio(own, (run) => valueIn(reference, run.round)),
      ...(scenario.control === undefined
        ? []
        : [ratio(own, ({ control }) => control?.value ?? null)]),
      average(own, "cpuMs"),
      average(own, "serverCpuMs"),
      average(own, "statements"),
      average(own, "walBytes"),
    ];
  });
  const head = [
    "subject",
    scenario.second === undefined ? scenario.unit : `p50 ${scenario.unit}`,
    ...(scenario.second === undefined ? [] : [`p99 ${scenario.unit}`]),
    "of ref",
    ...(scenario.control === undefined ? [] : [`of own ${scenario.control}`]),
    "CPU ms/1k",
    "server CPU ms/1k",
    "statements/msg",
    "WAL B/msg",
  ];
  return `### ${scenario.name}: ${scenario.title}\n\n${markdown([head, ...rows])}\n`;
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
    return other === null ? [] : [run.measurement.value / other];
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

function average(runs: readonly Run[], field: keyof Measurement): string {
  const values = runs.map(({ measurement }) => measurement[field]).filter((value) =>
    value !== null
  );
  return values.length === 0 ? NONE : number(spread(values).median);
}

/** A subject's name as readers know it. */
export function labelOf(subject: SubjectName): string {
  return subject === "ref" ? "by hand" : subject;
}
