import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newRecord } from "../../../bus/records/new_record.ts";
import { subscribe } from "../../../mod.ts";
import { arriving, fixture, Placed } from "../../support/bus_fixture.ts";
import { Gate, quiet } from "../../support/gate.ts";

describe("bus: started while it handles by itself", () => {
  for (const how of ["a delivery", "a tick"] as const) {
    it(`claims what is due when ${how} that began before has ended`, async () => {
      const gate = new Gate();
      const { bus, observed, store, clock } = fixture([
        subscribe(Placed, { group: "g" }, () => gate.pass()),
      ], { concurrency: 1 });
      const due = (id: string) => newRecord(arriving(id), { group: "g" });
      if (how === "a tick") await store.add("inbox", [due("first")], clock.now());
      const working = how === "a tick"
        ? bus.tick({ budgetMs: 1_000 })
        : bus.deliver([arriving("first")]);
      await gate.reached();
      await store.add("inbox", [due("second")], clock.now());
      await bus.start();
      await quiet();
      clock.advance(1_000);
      gate.open();
      await working;
      await quiet();
      assert.equal(observed.all("succeeded", { id: "second" }).length, 1);
      await bus.stop();
    });
  }
});
