import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import type { HalfKeeper } from "../../../core/ports/half_keeper.ts";
import { FENCE_RETENTION_MS } from "../../../bus/half/prune_fence.ts";
import { Pruner } from "../../../bus/work/prune.ts";
import { settingsOf } from "../../../bus/settings/read_options.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const BATCH = 1_000;
const BATCH_MS = 10;

/** A pruner over an outbox with so many expired records, each batch of which takes its time. */
function pruning(expired: number) {
  const clock = new ManualClock();
  const wrapping = wrapped(memoryStore());
  let left = expired;
  wrapping.around = (method, call, [box, , limit]) => {
    if (method !== "prune" || box !== "outbox") return call();
    const deleted = Math.min(left, limit as number);
    left -= deleted;
    clock.advance(BATCH_MS);
    return Promise.resolve(deleted);
  };
  const transport = new FakeTransport();
  const settings = settingsOf({ store: wrapping.store, transport, clock });
  return {
    clock,
    left: () => left,
    pruner: new Pruner(settings, {} as HalfKeeper),
  };
}

describe("pruning", () => {
  it("rests fourteen times as long as each full batch took", async () => {
    const { clock, pruner, left } = pruning(2 * BATCH + 1);
    const running = pruner.run(Infinity);
    for (const after of [BATCH + 1, 1]) {
      await clock.awaits(14 * BATCH_MS);
      assert.equal(left(), after);
      clock.advance(14 * BATCH_MS - 1);
      assert.equal(left(), after);
      clock.advance(1);
    }
    assert.equal(await running, 2 * BATCH + 1);
  });

  it("ends when it is told to stop, and goes on where it was", async () => {
    const { clock, pruner, left } = pruning(3 * BATCH);
    let isStopped = false;
    const running = pruner.run(Infinity, () => isStopped);
    await clock.awaits(14 * BATCH_MS);
    isStopped = true;
    clock.advance(14 * BATCH_MS);
    assert.equal(await running, BATCH);
    const rest = pruner.run(clock.now() + BATCH_MS);
    assert.equal(await rest, BATCH);
    assert.equal(left(), BATCH);
  });

  it("keeps what a fence decided for a day, as no operation comes later than that", async () => {
    const clock = new ManualClock();
    const fence = memoryFence(() => clock.now());
    for (const [id, ageMs] of [["old", 1], ["young", 0], ["new", -FENCE_RETENTION_MS]] as const) {
      const atMs = clock.now() - FENCE_RETENTION_MS - ageMs;
      await fence.transaction((tx) => fence.commit(id, atMs, tx));
    }
    const transport = new FakeTransport();
    const settings = settingsOf({ store: memoryStore(), transport, clock, fence });
    const keeper = { query: () => Promise.resolve(null) } as unknown as HalfKeeper;
    await new Pruner(settings, keeper).run(Infinity);
    const left = await fence.writtenBefore(Infinity, null, 9);
    assert.deepEqual(left.map(({ id }) => id), ["young", "new"]);
  });
});
