import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Progress, ratePerSecond } from "../../../bench/measurements/progress.ts";

const at = (atMs: number, handled: number, settled: number | null = handled, cpuMs = 0) => ({
  handled,
  settled,
  atMs,
  cpuMs,
});

describe("the progress of a measurement", () => {
  it("starts when the warm-up messages are handled, with the counts at that time", () => {
    const progress = new Progress(1, 200);
    progress.begin(1_000);
    progress.update(0, at(3_000, 199, 100, 40));
    assert.equal(progress.start, null);
    progress.update(0, at(3_100, 250, 200, 60));
    progress.update(0, at(3_200, 300, 300, 70));
    assert.deepEqual(progress.start, { atMs: 3_100, handled: 250, cpuMs: 60 });
  });

  it("gives the rate after the warm-up, without the time of the warm-up", () => {
    const progress = new Progress(1, 200);
    progress.begin(0);
    progress.update(0, at(5_000, 200));
    progress.update(0, at(5_500, 1_200));
    assert.ok(progress.start);
    assert.equal(ratePerSecond(progress.start, 1_200, progress.latestMs), 2_000);
  });

  it("does not count messages handled between the end of the warm-up and its report", () => {
    const progress = new Progress(1, 200);
    progress.begin(0);
    progress.update(0, at(1_000, 700));
    assert.ok(progress.start);
    assert.equal(ratePerSecond(progress.start, 1_200, 1_500), 1_000);
  });

  it("adds up several workers", () => {
    const progress = new Progress(2, 200);
    progress.begin(0);
    progress.update(0, at(1_000, 150, 100, 10));
    assert.equal(progress.start, null);
    progress.update(1, at(1_100, 50, 0, 5));
    assert.deepEqual(progress.start, { atMs: 1_100, handled: 200, cpuMs: 15 });
    progress.update(0, at(1_050, 500, 400, 30));
    assert.equal(progress.handled, 550);
    assert.equal(progress.settled, 400);
    assert.equal(progress.cpuMs, 35);
    // A late report does not set the time back.
    assert.equal(progress.latestMs, 1_100);
  });

  it("does not know how many are settled if a worker does not", () => {
    const progress = new Progress(2, 200);
    progress.update(0, at(1_000, 150, 100));
    progress.update(1, at(1_000, 150, null));
    assert.equal(progress.settled, null);
  });

  it("starts at the signal if there is no warm-up", () => {
    const progress = new Progress(1, 0);
    assert.equal(progress.start, null);
    progress.begin(1_000);
    progress.update(0, at(2_000, 500, 500, 90));
    assert.deepEqual(progress.start, { atMs: 1_000, handled: 0, cpuMs: 0 });
  });
});
