/**
 * Exceptions between the end of the business operation and the state of its message.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Loss } from "../../../support/faulty.ts";
import { checkBack, type HalfWorld, ID, LEASE_MS, statusOf } from "../../../support/half_world.ts";
import { failing, mustBeCancelled, mustBeDeliveredOnce, paying, type Rows, told } from "./row.ts";

/** The result does not come, or cannot be written down. */
export const resultRows: Rows = {
  "result never arrives, operation not done: process killed before it": async (world) => {
    const half = await world.active.prepare(ID);
    assert.equal(half.state, "prepared");
    world.crash();
    assert.equal(await statusOf(world), "prepared");
    await checkBack(world);
    await mustBeCancelled(world);
    // The one that was thought dead goes on.
    const late = world.fence.part.transaction(async (tx) => {
      await half.fence(tx);
      await world.databases.pay(tx, ID);
    });
    await assert.rejects(late, { code: "fenced_off" });
    await mustBeCancelled(world);
  },

  "result never arrives, operation not done: process killed after its rollback": async (world) => {
    const half = await world.active.prepare(ID);
    const rolledBack = world.fence.part.transaction(async (tx) => {
      await half.fence(tx);
      await failing(world)(tx);
    });
    await assert.rejects(rolledBack, /card declined/);
    world.crash();
    assert.equal(await statusOf(world), "prepared");
    assert.equal(await world.databases.fenced(ID), null);
    await checkBack(world);
    await mustBeCancelled(world);
  },

  "result never arrives, operation done: process killed after its commit": async (world) => {
    await commitAndDie(world);
    assert.deepEqual([await statusOf(world), await world.databases.fenced(ID)], [
      "prepared",
      "committed",
    ]);
    assert.deepEqual(await world.databases.shipments(), []);
    await checkBack(world);
    await mustBeDeliveredOnce(world);
  },

  "result never arrives, operation done: the confirm is lost, and the caller is told": async (
    world,
  ) => {
    world.loseOnTheWay("result", "request");
    const end = await world.active.transact(ID, paying(world));
    assert.deepEqual(told(end), ["committed", false]);
    assert.ok(end.error instanceof Error);
    assert.equal(await statusOf(world), "prepared");
    await checkBack(world);
    await mustBeDeliveredOnce(world);
  },

  "result never arrives, operation done: only the confirm's answer is lost": async (world) => {
    world.loseOnTheWay("result", "answer");
    const end = await world.active.transact(ID, paying(world));
    assert.deepEqual(told(end), ["committed", false]);
    assert.equal(await statusOf(world), "scheduled");
    await checkBack(world);
    await mustBeDeliveredOnce(world);
  },

  "result never arrives, operation done: it is run again with the same id, and does not run twice":
    async (world) => {
      await commitAndDie(world);
      const again = await world.active.transact(ID, paying(world));
      assert.deepEqual(told(again), ["committed", true]);
      world.clock.advance(1_000);
      await world.bus.tick();
      await mustBeDeliveredOnce(world);
    },

  "result arrives, status write fails, operation not done": (world) =>
    refusedStatus(world, "request", failing, "aborted"),

  "result arrives, status write fails, operation done": (world) =>
    refusedStatus(world, "request", paying, "committed"),

  "result arrives, status write's answer is lost, operation not done": (world) =>
    refusedStatus(world, "answer", failing, "aborted"),

  "result arrives, status write's answer is lost, operation done": (world) =>
    refusedStatus(world, "answer", paying, "committed"),

  "result arrives, status write fails, and check-back's own write fails too: not done": async (
    world,
  ) => {
    await failingChecks(world, failing);
    await mustBeCancelled(world);
  },

  "result arrives, status write fails, and check-back's own write fails too: done": async (
    world,
  ) => {
    await failingChecks(world, paying);
    await mustBeDeliveredOnce(world);
  },
};

type Work = typeof paying;

async function commitAndDie(world: HalfWorld): Promise<void> {
  const half = await world.active.prepare(ID);
  await world.fence.part.transaction(async (tx) => {
    await half.fence(tx);
    await world.databases.pay(tx, ID);
  });
  world.crash();
}

/** The first write of the state is lost in this way; check-back makes up for it. */
async function refusedStatus(
  world: HalfWorld,
  what: Loss,
  work: Work,
  outcome: "committed" | "aborted",
): Promise<void> {
  world.store.lose("settle", what);
  const end = await world.active.transact(ID, work(world));
  assert.deepEqual(told(end), [outcome, false]);
  const written = outcome === "committed" ? "scheduled" : "cancelled";
  assert.equal(await statusOf(world), what === "request" ? "prepared" : written);
  await checkBack(world);
  await (outcome === "committed" ? mustBeDeliveredOnce(world) : mustBeCancelled(world));
}

/** Neither the result nor the answers of three checks, each by another process, can be written down. */
async function failingChecks(world: HalfWorld, work: Work): Promise<void> {
  // A tick settles each answer twice.
  world.store.lose("settle", "request", { times: 1 + 3 * 2 });
  await world.active.transact(ID, work(world));
  for (let process = 0; process < 3; process++) {
    await assert.rejects(checkBack(world), /lost/);
    world.crash();
    world.clock.advance(LEASE_MS);
    assert.equal(await statusOf(world), "prepared");
  }
  await checkBack(world);
}
