import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { timeLimit } from "../../../bus/async/deadline.ts";
import { ManualClock } from "../../support/manual_clock.ts";

class CountedClock extends ManualClock {
  timers = 0;

  override after(delayMs: number, wake: () => void): () => void {
    this.timers += 1;
    return super.after(delayMs, wake);
  }
}

describe("time limits on one clock", () => {
  const never = new AbortController().signal;
  const limited = (clock: ManualClock, ms: number) =>
    timeLimit(clock, ms, never, () => new Error(`${ms} ms are over`));
  const messageOf = ({ signal }: { signal: AbortSignal }) => signal.reason?.message;

  it("share a timer, and each ends at its own time", () => {
    const clock = new CountedClock();
    const limits = [300, 100, 200, 300].map((ms) => limited(clock, ms));
    assert.equal(clock.timers, 2, "one for 300 ms, and the earlier one for 100 ms");
    clock.advance(100);
    assert.deepEqual(limits.map(messageOf), [undefined, "100 ms are over", undefined, undefined]);
    clock.advance(100);
    assert.equal(messageOf(limits[2] as never), "200 ms are over");
    assert.equal(messageOf(limits[0] as never), undefined);
    clock.advance(100);
    assert.equal(messageOf(limits[0] as never), "300 ms are over");
    assert.equal(messageOf(limits[3] as never), "300 ms are over");
  });

  it("the end of the earliest leaves the others their time", () => {
    const clock = new ManualClock();
    const [first, second] = [limited(clock, 100), limited(clock, 200)];
    first.end();
    clock.advance(199);
    assert.equal(messageOf(second), undefined);
    clock.advance(1);
    assert.equal(messageOf(second), "200 ms are over");
    assert.equal(messageOf(first), undefined);
  });

  it("one that was stopped for a while ends that much later", () => {
    const clock = new ManualClock();
    const [limit, other] = [limited(clock, 100), limited(clock, 1_000)];
    clock.advance(50);
    limit.pause();
    clock.advance(500);
    limit.resume();
    clock.advance(49);
    assert.equal(messageOf(limit), undefined);
    clock.advance(1);
    assert.equal(messageOf(limit), "100 ms are over");
    other.end();
  });
});
