import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newRecord, storedFromBirth } from "../../../bus/records/new_record.ts";
import { type LoopParts, runLoop } from "../../../bus/work/poll_loop.ts";
import type { WorkSource } from "../../../bus/work/work_source.ts";
import type { Settings } from "../../../bus/settings/settings.ts";
import { Wake } from "../../../bus/work/wake_signal.ts";
import { arriving } from "../../support/bus_fixture.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";

const LULL_MS = 20;
const POLL_MS = 30_000;

/** A loop over what a test says is there, and what it asked in order. */
function loop() {
  const clock = new ManualClock();
  const wake = new Wake(clock);
  const asked: string[] = [];
  let there = 1;
  let isStopped = false;
  const record = storedFromBirth(newRecord(arriving("a"), {}), "outbox", NOW_MS);
  const source: WorkSource = {
    name: "test",
    capacity: () => 10,
    worksAtOnce: 1,
    claimSize: () => 10,
    roundSize: () => 10,
    batchSize: () => 1,
    claim: () => {
      asked.push(`claim ${there}`);
      const claimed = Array.from({ length: there }, () => record);
      there = 0;
      return Promise.resolve(claimed);
    },
    work: (records) => Promise.resolve({ done: records.length, failed: 0, isFinal: true }),
    release: () => Promise.resolve(),
    nextDueAt: () => {
      asked.push("due?");
      return Promise.resolve(NOW_MS + 5_000);
    },
    leftOut: () => null,
  };
  const parts: LoopParts = {
    source,
    wake,
    capacity: () => 10,
    push: () => {},
    look: (look) => look(),
    claimAlone: () => Promise.resolve(false),
  };
  const settings = { clock, observe: () => {}, leaseMs: 60_000 } as unknown as Settings<unknown>;
  const ended = runLoop(settings, parts, () => POLL_MS, () => isStopped);
  return {
    clock,
    asked,
    add(count: number) {
      there = count;
      wake.now();
    },
    async stop() {
      isStopped = true;
      wake.now();
      await ended;
    },
  };
}

describe("a loop of a running bus", () => {
  it("asks when there is more only after a lull", async () => {
    const { clock, asked, add, stop } = loop();
    await clock.awaits(LULL_MS);
    // Work keeps coming, and the question is put off.
    for (let n = 2; n <= 4; n++) {
      clock.advance(LULL_MS - 1);
      add(n);
      await clock.awaits(LULL_MS);
    }
    assert.deepEqual(asked, ["claim 1", "claim 2", "claim 3", "claim 4"]);
    clock.advance(LULL_MS);
    await clock.awaits(0, 5_000);
    assert.deepEqual(asked.slice(4), ["due?"]);
    await stop();
  });

  it("claims at once again when it got all it could take", async () => {
    const { clock, asked, add, stop } = loop();
    await clock.awaits(LULL_MS);
    add(10);
    await clock.awaits(0, 5_000);
    assert.deepEqual(asked, ["claim 1", "claim 10", "claim 0", "due?"]);
    await stop();
  });
});
