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

  it("ends when its budget is spent although the clock is set back", async () => {
    let looks = 0;
    const record = storedFromBirth(newRecord(arriving("m"), { dueAtMs: NOW_MS }), "outbox", NOW_MS);
    const loop = {
      claimed: [record],
      isShort: false,
      // Without an end of its own a loop that does not wait would never let the test fail.
      looked: () => {
        if (++looks > 10) throw new Error("looks again and again");
        return Promise.resolve();
      },
      watch: () => () => {},
    } as unknown as WorkLoop<undefined>;
    const clock = new ManualClock();
    let setBackMs = 0;
    const settings = {
      clock: {
        now: () => clock.now() - setBackMs,
        after: (delayMs: number, wake: () => void) => clock.after(delayMs, wake),
      },
    } as unknown as Settings<undefined>;
    const work = new DueWork(settings, { sent: loop }, NOW_MS + 1_000, () => false);
    const settled = work.settle(() => Promise.resolve());
    setBackMs = 5_000;
    clock.advance(1_000);
    await settled;
    work.end();
    assert.ok(looks <= 1);
  });
});
