import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chartOf } from "../../bench/results/chart.ts";
import { costOf, measurementOf } from "../../bench/measurements/measurement.ts";
import { FULL, SCENARIOS } from "../../bench/plan.ts";
import { tableOf } from "../../bench/results/report.ts";
import { type Outcome, resultsOf, type Run } from "../../bench/results/results.ts";

function outcomeOf(name: string, runs: Record<string, readonly Run[]>): Outcome {
  const scenario = SCENARIOS.find((each) => each.name === name);
  assert.ok(scenario, `no scenario ${name}`);
  return { scenario, runs: new Map(Object.entries(runs)) as unknown as Outcome["runs"] };
}

const run = (round: number, ...measured: Parameters<typeof measurementOf>): Run => ({
  round,
  measurement: measurementOf(...measured),
  control: null,
});

describe("the bench's plan", () => {
  it("has a name for every line, and a measured control wherever one is named", () => {
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
  it("shows two values where a measurement gives two, and the ratio to what is done by hand", () => {
    const outcome = outcomeOf("latency-in-process-p50", {
      atlast: [run(1, 2, { second: 6 }), run(2, 3, { second: 8 })],
      ref: [run(1, 4, { second: 6 }), run(2, 4, { second: 9 })],
    });
    assert.equal(
      tableOf(outcome, FULL),
      `### latency-in-process-p50: Publish to handler, 100 a second, one process

| subject | p50 ms    | p99 ms    | of ref           |
| ------- | --------- | --------- | ---------------- |
| atlast  | 2.5 (2-3) | 7 (6-8)   | 0.63 (0.50-0.75) |
| ref     | 4 (4-4)   | 7.5 (6-9) | 1                |

Publishers and workers have run for a second before.
`,
    );
  });

  it("says how warm workers are timed, and what was noted of a run", () => {
    const drained = tableOf(outcomeOf("drain-outbox", { atlast: [run(1, 100)] }), FULL);
    assert.match(drained, /of 70,000 waiting messages, .* from when 20,000 are handled until all/);
    const note = "1,000,000 deleted in 9 s";
    const pruned = tableOf(
      outcomeOf("prune-beside-publish", { atlast: [run(1, 0.95, { note })] }),
      FULL,
    );
    assert.match(pruned, /\natlast, round 1: 1,000,000 deleted in 9 s\.\n/);
  });

  it("writes a line for each value, and draws none at all as nothing", () => {
    const idle = resultsOf(outcomeOf("idle-statements", { atlast: [run(1, 0)] }));
    const bytes = resultsOf(
      outcomeOf("core-transition-bytes", { atlast: [run(1, 224, { second: 0 })] }),
    );
    assert.deepEqual([...idle, ...bytes].map(({ scenario, median }) => [scenario, median]), [
      ["idle-statements", 0],
      ["core-transition-bytes", 224],
      ["core-next-attempt-bytes", 0],
    ]);
    const chart = chartOf([...idle, ...bytes]);
    assert.doesNotMatch(chart, /NaN|Infinity/);
    assert.match(chart, /statements\/min, less is better/);
  });

  it("gives costs for each message, and none where no message is left", () => {
    const before = { cpuMs: 100, statements: 10, walBytes: null };
    const after = { cpuMs: 300, statements: 60, walBytes: 9 };
    assert.deepEqual(costOf(before, after, 100), {
      serverCpuMs: 2_000,
      statements: 0.5,
      walBytes: null,
    });
    assert.equal(costOf(before, after, 0).statements, null);
  });
});
