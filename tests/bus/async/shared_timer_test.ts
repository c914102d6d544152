import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SharedTimer } from "../../../bus/async/shared_timer.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { holds } from "../../support/property.ts";

describe("a shared timer", () => {
  it("wakes like timers of their own, and is one", () =>
    holds(
      fc.property(
        fc.array(
          fc.record({
            delayMs: fc.integer({ min: 0, max: 50 }),
            isCancelled: fc.boolean(),
            passesMs: fc.integer({ min: 0, max: 20 }),
          }),
          { maxLength: 20 },
        ),
        (timers) => {
          const woken = { shared: [] as string[], own: [] as string[] };
          const clock = new ManualClock();
          const shared = new SharedTimer(clock);
          const others = new ManualClock();
          const cancelLater: (() => void)[] = [];
          timers.forEach(({ delayMs, isCancelled, passesMs }, i) => {
            for (
              const [mine, base, list] of [
                [shared, clock, woken.shared],
                [others, others, woken.own],
              ] as const
            ) {
              const cancel = mine.after(delayMs, () => list.push(`${i} at ${base.now()}`));
              if (isCancelled) cancelLater.push(cancel);
            }
            if (i % 3 === 2) { for (const cancel of cancelLater.splice(0)) cancel(); }
            clock.advance(passesMs);
            others.advance(passesMs);
            assert.ok(clock.waiting <= 1);
          });
          clock.advance(100);
          others.advance(100);
          assert.deepEqual(woken.shared.sort(), woken.own.sort());
          assert.equal(clock.waiting, 0);
        },
      ),
    ));

  it("wakes nothing that was cancelled by another that woke at the same time", () => {
    const clock = new ManualClock();
    const shared = new SharedTimer(clock);
    const woken: string[] = [];
    let cancel = () => {};
    shared.after(5, () => {
      woken.push("first");
      cancel();
    });
    cancel = shared.after(5, () => woken.push("second"));
    clock.advance(5);
    assert.deepEqual(woken, ["first"]);
  });

  it("is not late when a clock that has no monotonic reading is set back", () => {
    const clock = new ManualClock();
    let behindMs = 0;
    const shared = new SharedTimer({
      now: () => clock.now() - behindMs,
      after: (ms, wake) => clock.after(ms, wake),
    });
    const woken: string[] = [];
    shared.after(1_000, () => woken.push("first"));
    shared.after(1_500, () => woken.push("second"));
    behindMs = 3_600_000;
    clock.advance(1_000);
    assert.deepEqual(woken, ["first"]);
    clock.advance(500);
    assert.deepEqual(woken, ["first", "second"]);
  });

  it("leaves nothing behind when it ends", () => {
    const clock = new ManualClock();
    const shared = new SharedTimer(clock);
    let woken = 0;
    shared.after(10, () => woken++);
    shared.after(5, () => woken++);
    shared.end();
    assert.equal(clock.waiting, 0);
    clock.advance(20);
    assert.equal(woken, 0);
    shared.after(5, () => woken++);
    clock.advance(5);
    assert.equal(woken, 1);
  });
});
