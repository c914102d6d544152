/**
 * What came of the measurements.
 *
 * @module
 */
import type { Measurement } from "../measurements/measurement.ts";
import type { Scenario } from "../plan.ts";
import type { SubjectName } from "../subjects/registry.ts";

/** The form of `results.json`. */
export interface ResultsFile {
  /** The machine, with how busy it was. */
  readonly machine: string;
  /** The versions of everything that was measured. */
  readonly versions: string;
  readonly results: readonly Result[];
}

/** One line of the results. */
export interface Result {
  readonly scenario: string;
  readonly subject: SubjectName;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  readonly runs: number;
}

/** A run of a subject: what it gave, and what its control just before gave. */
export interface Run {
  readonly round: number;
  readonly measurement: Measurement;
  readonly control: Measurement | null;
}

/** All runs of a scenario, by subject. */
export interface Outcome {
  readonly scenario: Scenario;
  readonly runs: ReadonlyMap<SubjectName, readonly Run[]>;
}

/** The results of a scenario: a line for each subject, or two. */
export function resultsOf({ scenario, runs }: Outcome): Result[] {
  const { name, second, unit } = scenario;
  const lines = (own: string, valueOf: (measurement: Measurement) => number) =>
    [...runs].filter(([, own]) => own.length > 0).map(([subject, all]) => {
      const values = all.map(({ measurement }) => valueOf(measurement));
      return { scenario: own, subject, ...spread(values), unit, runs: values.length };
    });
  const first = lines(name, ({ value }) => value);
  return second === undefined
    ? first
    : [...first, ...lines(second, ({ second }) => second ?? Number.NaN)];
}

/** Median, least and greatest, to the digits that mean something. */
export function spread(values: readonly number[]): { median: number; min: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const at = (i: number) => sorted[i] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { median: digits(median), min: digits(at(0)), max: digits(at(sorted.length - 1)) };
}

function digits(value: number): number {
  return Number(value.toPrecision(4));
}
