import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newRecord, storedFromBirth } from "../../../bus/records/new_record.ts";
import type { Settings } from "../../../bus/settings/settings.ts";
import { WorkLoop } from "../../../bus/work/work_loop.ts";
import type { WorkSource } from "../../../bus/work/work_source.ts";
import { arriving } from "../../support/bus_fixture.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";

const NEW = { ...newRecord(arriving("m-1"), {}), leaseUntilMs: NOW_MS + 1_000 };
const HELD = storedFromBirth(NEW, "outbox", NOW_MS);

describe("a record that a loop holds is taken back", () => {
  function holding(): WorkLoop<undefined> {
    const settings = { clock: new ManualClock() } as unknown as Settings<undefined>;
    const source = {
      name: "dispatch",
      capacity: () => 10,
      worksAtOnce: 1,
      batchSize: () => 1,
      work: () => Promise.resolve({ done: 1, failed: 0, isFinal: true }),
    } as unknown as WorkSource;
    const loop = new WorkLoop(settings, source);
    loop.push(HELD);
    return loop;
  }

  it("once, under the claim by which it is held", () => {
    const loop = holding();
    assert.equal(loop.takeBack(HELD), HELD);
    assert.equal(loop.takeBack(HELD), undefined);
  });

  it("not under a later claim, which is another worker's", () => {
    const loop = holding();
    assert.equal(loop.takeBack({ ...HELD, epoch: HELD.epoch + 1 }), undefined);
    assert.deepEqual(loop.waiting, [HELD]);
  });

  it("not as a record of another group", () => {
    assert.equal(holding().takeBack({ ...HELD, group: "other" }), undefined);
  });
});
