import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { batcher, SLOW_RUN_MS } from "../../../bus/async/batcher.ts";
import { ManualClock } from "../../support/manual_clock.ts";

/** A batcher whose runs end when they are told to. */
function manualRuns({ leastBeside }: { leastBeside: number }) {
  const runs: { readonly items: readonly number[]; readonly end: () => void }[] = [];
  const clock = new ManualClock();
  const call = batcher<number, number>({
    run: (items) => new Promise((resolve) => runs.push({ items, end: () => resolve(items) })),
    maxItems: 4,
    maxRuns: 2,
    leastBeside,
    clock,
  });
  const sizes = () => runs.map(({ items }) => items.length);
  const callAll = (from: number, count: number) =>
    Promise.all(Array.from({ length: count }, (_, i) => call(from + i)));
  return { runs, clock, callAll, sizes };
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

describe("batcher: a run beside another", () => {
  it("begins only for so many calls; fewer share the next one", async () => {
    const { runs, callAll, sizes } = manualRuns({ leastBeside: 3 });
    const calls = [callAll(0, 1)];
    await turn();
    calls.push(callAll(1, 2));
    await turn();
    assert.deepEqual(sizes(), [1], "two wait");
    calls.push(callAll(3, 1));
    await turn();
    assert.deepEqual(sizes(), [1, 3], "three have a run of their own");
    calls.push(callAll(4, 3));
    await turn();
    assert.deepEqual(sizes(), [1, 3], "two runs are the most");
    runs[0]?.end();
    await turn();
    assert.deepEqual(sizes(), [1, 3, 3]);
    for (const { end } of runs) end();
    assert.deepEqual((await Promise.all(calls)).flat(), [0, 1, 2, 3, 4, 5, 6]);
  });

  it("begins for the rest of a full run when all others have ended", async () => {
    const { runs, callAll, sizes } = manualRuns({ leastBeside: 3 });
    const calls = callAll(0, 5);
    await turn();
    assert.deepEqual(sizes(), [4], "one waits");
    runs[0]?.end();
    await turn();
    assert.deepEqual(sizes(), [4, 1]);
    runs[1]?.end();
    assert.deepEqual(await calls, [0, 1, 2, 3, 4]);
  });

  it("begins for any call once the other is slow", async () => {
    const { runs, clock, callAll, sizes } = manualRuns({ leastBeside: 3 });
    const calls = [callAll(0, 1)];
    await turn();
    calls.push(callAll(1, 1));
    await turn();
    assert.deepEqual(sizes(), [1]);
    clock.advance(SLOW_RUN_MS);
    await turn();
    assert.deepEqual(sizes(), [1, 1]);
    for (const { end } of runs) end();
    assert.deepEqual((await Promise.all(calls)).flat(), [0, 1]);
  });
});
