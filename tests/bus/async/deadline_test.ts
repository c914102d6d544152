import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { timeLimit } from "../../../bus/async/deadline.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const timeIsUp = () => new Error("time is up");

describe("a time limit", () => {
  it("does not count a change of the system clock as time", () => {
    const clock = new ManualClock();
    let aheadMs = 0;
    const changing = {
      now: () => clock.now() + aheadMs,
      monotonic: () => clock.now(),
      after: (ms: number, wake: () => void) => clock.after(ms, wake),
    };
    const limit = timeLimit(changing, 1_000, new AbortController().signal, timeIsUp);
    clock.advance(400);
    aheadMs = 3_600_000;
    limit.pause();
    limit.resume();
    clock.advance(599);
    assert.equal(limit.signal.aborted, false);
    clock.advance(1);
    assert.equal(limit.signal.aborted, true);
  });

  it("that is met fails nothing any more, by its time or from outside", async () => {
    const clock = new ManualClock();
    const outer = new AbortController();
    const limit = timeLimit(clock, 1_000, outer.signal, timeIsUp);
    const work = Promise.withResolvers<string>();
    const racing = limit.race(() => work.promise);
    limit.met();
    outer.abort(new Error("stop"));
    clock.advance(1_000);
    work.resolve("done");
    assert.equal(await racing, "done");
  });

  it("that has ended lets no late work go on", () => {
    const limit = timeLimit(new ManualClock(), 1_000, new AbortController().signal, timeIsUp);
    limit.throwIfAborted();
    limit.end();
    assert.throws(() => limit.throwIfAborted(), /has ended/);
  });

  it("that is met does not go on", () => {
    const clock = new ManualClock();
    const limit = timeLimit(clock, 100, new AbortController().signal, timeIsUp);
    limit.pause();
    limit.met();
    limit.resume();
    assert.equal(clock.waiting, 0);
    limit.end();
  });
});
