/**
 * Which transition of the life cycle met which fault: faults of the same service since the record's last transition.
 *
 * @module
 */
import { type EventKind, type State, TRANSITIONS } from "../../core/lifecycle/lifecycle.ts";
import type { Box } from "../../mod.ts";
import type { Change } from "./change.ts";
import { FAULTS, type Faults } from "./faults/fault.ts";
import type { Entry } from "./ledger.ts";

/** Counts by transition, each in the order of `FAULTS` with the count of the transition itself at the end. */
export type Coverage = Record<string, number[]>;

/** A count of zero for each transition and fault. */
export function emptyCoverage(): Coverage {
  const rows = Object.entries(TRANSITIONS).flatMap(([box, states]) =>
    Object.entries(states).flatMap(([from, events]) =>
      Object.entries(events).flatMap(([event, targets]) =>
        targets.map((to) => rowOf(box as Box, from as State, event as EventKind, to))
      )
    )
  );
  return Object.fromEntries(rows.map((row) => [row, new Array(FAULTS.length + 1).fill(0)]));
}

/** Counts a change of a record. */
export function cover(coverage: Coverage, change: Change, entry: Entry, faults: Faults): void {
  const { service, box, event, before, after } = change;
  const counts = faults.counts[service];
  if (event !== null && before !== null && after !== null) {
    const row = coverage[rowOf(box, before.state, event, after.state)];
    if (row !== undefined) {
      for (let i = 0; i < counts.length; i++) {
        if ((counts[i] as number) > (entry.faults[i] as number)) (row[i] as number) += 1;
      }
      (row[counts.length] as number) += 1;
    }
  }
  if (event !== null || before === null) entry.faults.set(counts);
}

/** Adds the counts of another. */
export function addCoverage(sum: Coverage, more: Coverage): void {
  for (const [row, counts] of Object.entries(more)) {
    const into = sum[row] ??= new Array(FAULTS.length + 1).fill(0);
    counts.forEach((count, i) => (into[i] as number) += count);
  }
}

function rowOf(box: Box, from: State, event: EventKind, to: State): string {
  return `${box} ${from} ${event} ${to}`;
}
