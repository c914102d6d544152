import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Fault, planOf } from "../../../tools/crash/plan.ts";

const COUNTS = { kills: 1_000, restarts: 100 };

describe("the plan of a crash run", () => {
  const count = (faults: readonly Fault[], kind: Fault["kind"]) =>
    faults.filter((fault) => fault.kind === kind).length;

  it("is the same for the same seed, and another for another", () => {
    assert.deepEqual(planOf(1, COUNTS), planOf(1, COUNTS));
    assert.notDeepEqual(planOf(1, COUNTS), planOf(2, COUNTS));
  });

  it("has exactly the kills and restarts that are wanted, and some of every other fault", () => {
    for (
      const { kills, restarts } of [COUNTS, { kills: 3, restarts: 7 }, { kills: 6, restarts: 1 }]
    ) {
      const faults = planOf(14, { kills, restarts }).map(({ fault }) => fault);
      assert.equal(count(faults, "kill"), kills);
      assert.equal(count(faults, "restart"), restarts);
      for (const kind of ["stop", "full disk"] as const) assert.ok(count(faults, kind) > 0, kind);
    }
  });

  it("aims more than half of the kills at each moment of a commit in turn", () => {
    const moments = planOf(14, COUNTS).flatMap(({ fault }) =>
      fault.kind === "kill" ? [fault.moment] : []
    );
    const times = (wanted: string) => moments.filter((moment) => moment === wanted).length;
    assert.ok(times("any") < 400);
    for (const moment of ["before the commit", "commit sent", "before the answer"]) {
      assert.ok(times(moment) > 150, moment);
    }
  });
});
