import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FAULTS } from "../../simulation/faults/fault.ts";
import type { Count, SeedRun } from "../../simulation/run_seed.ts";
import { reportOf } from "../../../tools/simulate/report.ts";
import { addRun, addTotals, medianOf, noTotals } from "../../../tools/simulate/totals.ts";

const ROW = "outbox scheduled succeed succeeded";

/** A seed with so many messages and faults. */
function runOf(messages: number, faults: number): SeedRun {
  const counts = { messages, faults, kinds: 3, steps: 5 } as Record<Count, number>;
  return { digest: "", counts, violation: null, faults: [], wanted: 0, settledAfterMs: messages };
}

describe("simulate: the report", () => {
  it("adds what processes counted, and has the medians of all their seeds", () => {
    const [some, others] = [noTotals(), noTotals()];
    for (const messages of [9, 30]) addRun(some, runOf(messages, 1));
    for (const messages of [100, 8, 20]) addRun(others, runOf(messages, 2));
    addTotals(some, JSON.parse(JSON.stringify(others)));
    assert.equal(medianOf(some, "messages"), 20);
    assert.deepEqual([some.seeds, some.sums["faults"], some.longestMs], [5, 8, 100]);
  });

  it("ends with how many seeds, faults and violations there were", () => {
    const totals = noTotals();
    addRun(totals, runOf(20, 12));
    totals.failed.push({ seed: 4, text: "effects: none" });
    const last = reportOf(totals, 2).split("\n").at(-1);
    assert.equal(last, "simulate: 1 seeds, 12 faults, 1 violations");
  });

  it("names transitions that meet a fault too rarely", () => {
    const totals = noTotals();
    totals.seeds = 1_000;
    for (const counts of Object.values(totals.coverage)) counts.fill(1);
    assert.match(reportOf(totals, 1), /^0 of \d+ are below 1000 in a million seeds$/m);
    (totals.coverage[ROW] as number[])[0] = 0;
    assert.match(reportOf(totals, 1), new RegExp(`^ {2}${ROW} × ${FAULTS[0]}: 0$`, "m"));
  });
});
