import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newRecord, storedFromBirth } from "../../../bus/records/new_record.ts";
import type { Settings } from "../../../bus/settings/settings.ts";
import { DueWork } from "../../../bus/work/due_work.ts";
import type { WorkLoop } from "../../../bus/work/work_loop.ts";
import { arriving } from "../../support/bus_fixture.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";

describe("the wait for due work", () => {
  it("does not wait for records that ended while it asked what is left", async () => {
    const later = { ...newRecord(arriving("later"), { group: "g" }), dueAtMs: NOW_MS + 1 };
    let claimed = [storedFromBirth(later, "inbox", NOW_MS)];
    let asked = 0;
    const loop = {
      get claimed() {
        return claimed;
      },
      isShort: true,
      looked: () => Promise.resolve(),
      watch: () => () => {},
      nextDueAt: () => {
        asked += 1;
        claimed = [];
        return Promise.resolve(NOW_MS);
      },
    } as unknown as WorkLoop<undefined>;
    const clock = new ManualClock();
    const settings = { clock } as unknown as Settings<undefined>;
    const work = new DueWork(settings, { handled: loop }, NOW_MS + 1_000, () => false);
    await work.settle(() => Promise.resolve());
    work.end();
    assert.equal(asked, 1);
    assert.equal(clock.waiting, 0);
  });
});
