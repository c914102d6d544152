import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { manualClock } from "../../../adapters/memory/mod.ts";
import { subscribe } from "../../../mod.ts";
import { arriving, fixture, Placed } from "../../support/bus_fixture.ts";
import type { ManualClock } from "../../support/manual_clock.ts";

describe("manualClock", () => {
  it("stands still until it is advanced, and wakes what is due on the way, earliest first", () => {
    const clock = manualClock(1_000);
    const woken: [string, number][] = [];
    const timer = (name: string, delayMs: number) =>
      clock.after(delayMs, () => woken.push([name, clock.now()]));
    timer("late", 300);
    timer("early", 100);
    timer("cancelled", 200)();
    clock.after(100, () => timer("nested", 50));
    timer("never", 1_000);
    assert.equal(clock.now(), 1_000);
    clock.advance(500);
    assert.deepEqual(woken, [["early", 1_100], ["nested", 1_150], ["late", 1_300]]);
    assert.equal(clock.now(), 1_500);
    for (const ms of [-1, NaN, Infinity, 1e300]) assert.throws(() => clock.advance(ms), RangeError);
    assert.equal(clock.now(), 1_500);
    clock.advance(8.64e15 - 1_500);
    assert.throws(() => clock.advance(1), RangeError);
    for (const ms of [NaN, Infinity, 1e300]) assert.throws(() => manualClock(ms), RangeError);
  });

  it("ends the time of a handler that hangs", async () => {
    const clock = manualClock();
    const began = Promise.withResolvers<void>();
    const { bus, observed } = fixture([
      subscribe(Placed, { group: "mail", timeoutMs: 5_000 }, () => {
        began.resolve();
        return new Promise(() => {});
      }),
    ], { clock: clock as unknown as ManualClock });
    const delivered = bus.deliver([arriving("m")]);
    await began.promise;
    clock.advance(5_000);
    await delivered;
    assert.match(observed.all("retrying")[0]?.reason ?? "", /did not finish within 5000 ms/);
  });
});
