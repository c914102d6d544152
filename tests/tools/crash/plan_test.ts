import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Fault, planOf } from "../../../tools/crash/plan.ts";

const COUNTS = { kills: 1_000, restarts: 100, failovers: 0 };

describe("the plan of a crash run", () => {
  const count = (faults: readonly Fault[], kind: Fault["kind"]) =>
    faults.filter((fault) => fault.kind === kind).length;

  it("is the same for the same seed, and another for another", () => {
    assert.deepEqual(planOf(1, COUNTS), planOf(1, COUNTS));
    assert.notDeepEqual(planOf(1, COUNTS), planOf(2, COUNTS));
  });

  it("has exactly the kills, restarts and failovers that are wanted, and some of every other fault", () => {
    for (
      const { kills, restarts, failovers } of [
        COUNTS,
        { kills: 3, restarts: 7, failovers: 2 },
        { kills: 6, restarts: 1, failovers: 0 },
        { kills: 0, restarts: 0, failovers: 9 },
      ]
    ) {
      const faults = planOf(14, { kills, restarts, failovers }).map(({ fault }) => fault);
      assert.equal(count(faults, "failover"), failovers);
      assert.equal(count(faults, "kill"), kills);
      assert.equal(count(faults, "restart"), restarts);
      for (const kind of ["stop", "full disk"] as const) assert.ok(count(faults, kind) > 0, kind);
    }
  });

  it("lets standbys take over for each service in turn", () => {
    const faults = planOf(14, { kills: 3, restarts: 0, failovers: 4 }).map(({ fault }) => fault);
    const services = faults.flatMap((fault) => fault.kind === "failover" ? [fault.service] : []);
    assert.deepEqual(services, ["orders", "stock", "orders", "stock"]);
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
