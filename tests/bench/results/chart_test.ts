import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chartLines, renderChart } from "../../../bench/results/chart.ts";
import type { Result, ResultsFile } from "../../../bench/results/results.ts";
import { SCENARIOS } from "../../../bench/plan.ts";
import type { SubjectName } from "../../../bench/subjects/registry.ts";
import { readSource } from "../../../tools/docs/markdown.ts";

const committed = (JSON.parse(readSource("bench/results.json")) as ResultsFile).results;

describe("the chart", () => {
  it("shows at most ten scenarios on one screen", () => {
    assert.ok(chartLines(committed).length <= 10);
    const height = Number(/viewBox="0 0 830 (\d+)"/.exec(renderChart(committed))?.[1]);
    assert.ok(height > 0 && height <= 400, `${height}`);
  });

  it("does not leave out the scenarios in which a peer is furthest ahead", () => {
    const compared = SCENARIOS.filter(({ subjects }) => subjects.includes("pg-boss"));
    for (const { name, unit } of compared) {
      const results = compared.flatMap((scenario) => [
        result(scenario.name, "atlast", 100, scenario.unit),
        result(scenario.name, "pg-boss", 100, scenario.unit),
      ]);
      const isLess = ["ms", "statements/min"].includes(unit);
      results.push(result(name, "graphile-worker", isLess ? 25 : 400, unit));
      const line = chartLines(results).find((each) => each.name === name);
      assert.equal(
        line?.others.find(({ subject }) => subject === "graphile-worker")?.ratio,
        4,
        name,
      );
    }
  });

  it("draws every subject of a line, however slow or fast", () => {
    const results = [
      result("publish-1", "atlast", 100),
      result("publish-1", "ref", 1e9),
      result("publish-1", "bullmq", 1e-3),
    ];
    const svg = renderChart(results);
    assert.match(svg, /by hand: 10,000,000 times as fast/);
    assert.match(svg, /bullmq: 0.00001 times as fast|bullmq: 1e-5 times as fast/);
    for (const [, x] of svg.matchAll(/cx="([\d.]+)"/g)) assert.ok(Number(x) < 830);
  });

  it("in bench/ is made from the results in bench/", () => {
    assert.equal(readSource("bench/chart.svg"), renderChart(committed));
  });
});

function result(
  scenario: string,
  subject: SubjectName,
  median: number,
  unit = "messages/s",
): Result {
  return { scenario, subject, median, min: median, max: median, unit, runs: 1 };
}
