import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Progress, rateFrom } from "../../bench/measurements/progress.ts";

const at = (atMs: number, handled: number, settled: number | null = handled, cpuMs = 0) => ({
  handled,
  settled,
  atMs,
  cpuMs,
});

describe("the progress of a measurement", () => {
  it("begins where the share for the warm-up is handled, with what was done by then", () => {
    const progress = new Progress(1, 200);
    progress.begin(1_000);
    progress.hear(0, at(3_000, 199, 100, 40));
    assert.equal(progress.start, null);
    progress.hear(0, at(3_100, 250, 200, 60));
    progress.hear(0, at(3_200, 300, 300, 70));
    assert.deepEqual(progress.start, { atMs: 3_100, handled: 250, cpuMs: 60 });
  });

  it("gives the rate of what is left, and none of the time that the start took", () => {
    const progress = new Progress(1, 200);
    progress.begin(0);
    progress.hear(0, at(5_000, 200));
    progress.hear(0, at(5_500, 1_200));
    assert.ok(progress.start);
    assert.equal(rateFrom(progress.start, 1_200, progress.latestMs), 2_000);
  });

  it("counts the messages handled beyond the warm-up by the time it is seen for it", () => {
    const progress = new Progress(1, 200);
    progress.begin(0);
    progress.hear(0, at(1_000, 700));
    assert.ok(progress.start);
    assert.equal(rateFrom(progress.start, 1_200, 1_500), 1_000);
  });

  it("sums up several processes", () => {
    const progress = new Progress(2, 200);
    progress.begin(0);
    progress.hear(0, at(1_000, 150, 100, 10));
    assert.equal(progress.start, null);
    progress.hear(1, at(1_100, 50, 0, 5));
    assert.deepEqual(progress.start, { atMs: 1_100, handled: 200, cpuMs: 15 });
    progress.hear(0, at(1_050, 500, 400, 30));
    assert.equal(progress.handled, 550);
    assert.equal(progress.settled, 400);
    assert.equal(progress.cpuMs, 35);
    // What was heard late does not take the time back.
    assert.equal(progress.latestMs, 1_100);
  });

  it("does not know what is settled while one process cannot say", () => {
    const progress = new Progress(2, 200);
    progress.hear(0, at(1_000, 150, 100));
    progress.hear(1, at(1_000, 150, null));
    assert.equal(progress.settled, null);
  });

  it("begins at the word where there is no warm-up", () => {
    const progress = new Progress(1, 0);
    assert.equal(progress.start, null);
    progress.begin(1_000);
    progress.hear(0, at(2_000, 500, 500, 90));
    assert.deepEqual(progress.start, { atMs: 1_000, handled: 0, cpuMs: 0 });
  });
});
