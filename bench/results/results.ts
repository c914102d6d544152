/**
 * Sums the runs of a scenario up to the lines of `results.json`.
 *
 * @module
 */
import type { Measurement } from "../measurements/measurement.ts";
import type { Scenario } from "../scenario.ts";
import type { SubjectName } from "../subjects/registry.ts";

/** The content of `results.json`. */
export interface ResultsFile {
  /** The machine and its load when the bench started. */
  readonly machine: string;
  /** The versions of the servers and of the subjects. */
  readonly versions: string;
  readonly results: readonly Result[];
}

/** The result of one subject: over all runs, for one of the values that a scenario gives. */
export interface Result {
  readonly scenario: string;
  readonly subject: SubjectName;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  readonly runs: number;
}

/** One run of a subject: its measurement, and that of the control just before. */
export interface Run {
  readonly round: number;
  readonly measurement: Measurement;
  readonly control: Measurement | null;
}

/** All runs of a scenario, by subject. */
export interface ScenarioRuns {
  readonly scenario: Scenario;
  readonly runs: ReadonlyMap<SubjectName, readonly Run[]>;
}

/** The results of a scenario: one for each subject, or two if it gives a second value. */
export function summarizeRuns({ scenario, runs }: ScenarioRuns): Result[] {
  const { name, second, unit } = scenario;
  const summarize = (resultName: string, valueOf: (measurement: Measurement) => number) =>
    [...runs].filter(([, own]) => own.length > 0).map(([subject, own]) => {
      const values = own.map(({ measurement }) => valueOf(measurement));
      return {
        scenario: resultName,
        subject,
        ...medianAndRange(values),
        unit,
        runs: values.length,
      };
    });
  const first = summarize(name, ({ value }) => value);
  return second === undefined
    ? first
    : [...first, ...summarize(second, ({ second }) => second ?? Number.NaN)];
}

/** The median, the least and the greatest value, rounded to four digits. */
export function medianAndRange(
  values: readonly number[],
): { median: number; min: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const at = (i: number) => sorted[i] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { median: round(median), min: round(at(0)), max: round(at(sorted.length - 1)) };
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}
