import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderChart } from "../../../bench/results/chart.ts";
import { FULL } from "../../../bench/amounts.ts";
import { createMeasurement } from "../../../bench/measurements/measurement.ts";
import { costPerMessage } from "../../../bench/measurements/server_cost.ts";
import { SCENARIOS } from "../../../bench/plan.ts";
import { formatScenario } from "../../../bench/results/report.ts";
import { type Run, type ScenarioRuns, summarizeRuns } from "../../../bench/results/results.ts";

function runsOf(name: string, runs: Record<string, readonly Run[]>): ScenarioRuns {
  const scenario = SCENARIOS.find((each) => each.name === name);
  assert.ok(scenario, `no scenario ${name}`);
  return { scenario, runs: new Map(Object.entries(runs)) as unknown as ScenarioRuns["runs"] };
}

const run = (round: number, ...figures: Parameters<typeof createMeasurement>): Run => ({
  round,
  measurement: createMeasurement(...figures),
  control: null,
});

describe("the bench's plan", () => {
  it("names each result once, and names only controls that it has", () => {
    const names = SCENARIOS.flatMap(({ name, second }) =>
      second === undefined ? name : [name, second]
    );
    assert.deepEqual(names, [...new Set(names)]);
    for (const { control, second, labels } of SCENARIOS) {
      assert.ok(control === undefined || names.includes(control));
      assert.equal(second === undefined, labels === undefined);
    }
  });
});

describe("the bench's report", () => {
  it("shows two values where a measurement gives two, and the ratio to the hand-written minimum", () => {
    const measured = runsOf("latency-in-process-p50", {
      atlast: [run(1, 2, { second: 6 }), run(2, 3, { second: 8 })],
      ref: [run(1, 4, { second: 6 }), run(2, 4, { second: 9 })],
    });
    assert.equal(
      formatScenario(measured, FULL),
      `### latency-in-process-p50: From publish to handler at 100 messages/s, one process

| subject | p50 ms    | p99 ms    | of ref           |
| ------- | --------- | --------- | ---------------- |
| atlast  | 2.5 (2-3) | 7 (6-8)   | 0.63 (0.50-0.75) |
| ref     | 4 (4-4)   | 7.5 (6-9) | 1                |

Publishers and handlers run for one second before they are measured.
`,
    );
  });

  it("explains how warm workers are measured, and shows the note of a run", () => {
    const drained = formatScenario(runsOf("drain-outbox", { atlast: [run(1, 100)] }), FULL);
    assert.match(
      drained,
      /^70,000 messages wait; the first 20,000 warm .* from then until all messages are settled\.$/m,
    );
    const note = "1,000,000 pruned in 9 s";
    const pruned = formatScenario(
      runsOf("prune-beside-publish", { atlast: [run(1, 0.95, { note })] }),
      FULL,
    );
    assert.match(pruned, /\natlast, round 1: 1,000,000 pruned in 9 s\.\n/);
  });

  it("gives a result for each value, and draws zeros at the edge", () => {
    const idle = summarizeRuns(
      runsOf("idle-statements", {
        atlast: [run(1, 0)],
        ref: [run(1, 120)],
        "pg-boss": [run(1, 0)],
      }),
    );
    const bytes = summarizeRuns(
      runsOf("core-transition-bytes", { atlast: [run(1, 224, { second: 0 })] }),
    );
    assert.deepEqual([...idle, ...bytes].map(({ scenario, median }) => [scenario, median]), [
      ["idle-statements", 0],
      ["idle-statements", 120],
      ["idle-statements", 0],
      ["core-transition-bytes", 224],
      ["core-next-attempt-bytes", 0],
    ]);
    const chart = renderChart([...idle, ...bytes]);
    assert.doesNotMatch(chart, /NaN|Infinity/);
    assert.match(chart, /by hand: 0 times as fast/);
    assert.match(chart, /pg-boss: 1 times as fast/);
  });

  it("divides costs by messages, and gives none without messages", () => {
    const before = { cpuMs: 100, statements: 10, walBytes: null };
    const after = { cpuMs: 300, statements: 60, walBytes: 9 };
    assert.deepEqual(costPerMessage(before, after, 100), {
      serverCpuMs: 2_000,
      statements: 0.5,
      walBytes: null,
    });
    assert.equal(costPerMessage(before, after, 0).statements, null);
  });
});
