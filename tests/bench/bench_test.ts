import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { SCENARIOS } from "../../bench/plan.ts";
import { isLessBetter } from "../../bench/scenario.ts";
import { hasPostgres } from "../../tools/postgres_server.ts";
import type { ResultsFile } from "../../bench/results/results.ts";
import { redisProblem } from "../support/redis_server.ts";
import { ROOT } from "../support/repository.ts";
import { skipFor } from "../support/skip.ts";

/** The bench runs a server of its own, so it needs one installed, not one that answers. */
function reasonToSkip(): string | false {
  if (hasPostgres()) return false;
  const reason = "no Postgres is installed here (initdb): the bench is not run";
  if (process.env["CI"] === "true") throw new Error(reason);
  return skipFor(reason);
}

describe("the bench", { skip: reasonToSkip() }, () => {
  const folder = mkdtempSync(join(tmpdir(), "atlast-bench-test-"));
  after(() => rmSync(folder, { recursive: true }));

  // Peers are left out: installing them takes longer than all other tests.
  it("measures every scenario and writes what it measured", () => {
    const { status, stderr } = spawnSync(process.execPath, [
      "run",
      "-A",
      "--no-check",
      "bench/main.ts",
      "--quick",
      "--subjects=atlast,ref",
      `--out=${folder}`,
    ], { cwd: ROOT, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const file: ResultsFile = JSON.parse(readFileSync(join(folder, "results.json"), "utf8"));
    const { machine, versions, results } = file;
    assert.ok(machine.length > 0 && versions.includes("Postgres"));
    const lines = results.map(({ scenario, subject }) => `${scenario} ${subject}`);
    const hasRedis = redisProblem() === null;
    const expected = SCENARIOS.filter(({ workload: load }) =>
      hasRedis || load.kind !== "upstash-redis"
    )
      .flatMap(({ name, second, subjects }) =>
        [name, ...(second === undefined ? [] : [second])].flatMap((scenario) =>
          subjects.filter((subject) => ["atlast", "ref"].includes(subject))
            .map((subject) => `${scenario} ${subject}`)
        )
      );
    assert.deepEqual(lines, expected);
    for (const { scenario, median, min, max, unit, runs } of results) {
      // A worker without work may need no statement, and a call may allocate nothing.
      const least = isLessBetter(unit) ? min >= 0 : min > 0;
      assert.ok(least && min <= median && median <= max && runs === 1, scenario);
    }
    assert.match(readFileSync(join(folder, "chart.svg"), "utf8"), /^<svg [\s\S]*<\/svg>\n$/);
  });
});
