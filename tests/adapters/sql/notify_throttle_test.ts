import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { NotifyThrottle } from "../../../adapters/sql/notify_throttle.ts";

const INTERVAL_MS = 5;

describe("a throttle", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  function counted() {
    const counts = { runs: 0 };
    const throttle = new NotifyThrottle(() => {
      counts.runs += 1;
      return Promise.resolve();
    }, INTERVAL_MS);
    const ask = (times: number) => {
      for (let i = 0; i < times; i++) throttle.run();
    };
    const pass = async (ms: number) => {
      mock.timers.tick(ms);
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
      return counts.runs;
    };
    return { ask, pass, throttle };
  }

  it("runs at once, and then once for all who ask within the interval", async () => {
    const { ask, pass, throttle } = counted();
    ask(4);
    assert.equal(await pass(0), 1);
    assert.equal(await pass(INTERVAL_MS - 1), 1);
    assert.equal(await pass(1), 2);
    assert.equal(await pass(INTERVAL_MS), 2);
    await throttle.end();
  });

  it("pauses twice as long once it is asked many times in a pause, and no longer when it is not", async () => {
    const { ask, pass, throttle } = counted();
    ask(20);
    assert.equal(await pass(INTERVAL_MS), 2);
    ask(3);
    assert.equal(await pass(INTERVAL_MS), 2);
    assert.equal(await pass(INTERVAL_MS), 3);
    ask(1);
    assert.equal(await pass(INTERVAL_MS), 4);
    await throttle.end();
  });

  it("leaves the work to one who takes it, in a pause to nobody", async () => {
    const { ask, pass, throttle } = counted();
    assert.equal(throttle.take(), true);
    assert.equal(throttle.take(), false);
    assert.equal(await pass(INTERVAL_MS), 0);
    assert.equal(throttle.take(), true);
    ask(1);
    assert.equal(await pass(0), 0);
    assert.equal(await pass(INTERVAL_MS), 1);
    await throttle.end();
  });

  it("does what waits when it is ended", async () => {
    const { ask, pass, throttle } = counted();
    ask(2);
    await throttle.end();
    assert.equal(await pass(0), 2);
  });
});
