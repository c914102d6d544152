/**
 * Exceptions of the business operation itself.
 *
 * @module
 */
import assert from "node:assert/strict";
import { checkBack, type HalfWorld, ID, statusOf } from "../../../support/half_world.ts";
import { failing, mustBeCancelled, mustBeDeliveredOnce, paying, type Rows, told } from "./row.ts";

/** The half message is stored, and the operation goes wrong. */
export const operationRows: Rows = {
  "stored, operation fails: it is cancelled at once": async (world) => {
    const end = await world.active.transact(ID, failing(world));
    assert.deepEqual(told(end), ["aborted", true]);
    assert.match(String(end.outcome === "aborted" && end.error), /card declined/);
    assert.equal(await world.databases.fenced(ID), "aborted");
    await mustBeCancelled(world);
  },

  "stored, operation fails: check-back cancels it when the cancel is lost": async (world) => {
    world.loseOnTheWay("result", "request");
    const end = await world.active.transact(ID, failing(world));
    assert.deepEqual(told(end), ["aborted", false]);
    assert.equal(await statusOf(world), "prepared");
    await checkBack(world);
    await mustBeCancelled(world);
  },

  "stored, operation fails: and the fence cannot be asked": async (world) => {
    world.fence.lose("check", "request", { times: Infinity });
    const end = await world.active.transact(ID, failing(world));
    assert.equal(end.outcome, "in_doubt");
    for (let tries = 0; tries < 20; tries++) await checkBack(world);
    const record = await world.bus.store.find("outbox", { id: ID, group: "" });
    assert.deepEqual([record?.state, record?.checks], ["prepared", 0]);
    assert.ok((record?.unreachable ?? 0) > 0);
    world.fence.heal();
    world.clock.advance(60_000);
    await checkBack(world);
    await mustBeCancelled(world);
  },

  "stored, operation done, but its commit's answer is lost: the fence knows": async (world) => {
    await commitWithoutAnswer(world);
    await mustBeDeliveredOnce(world);
  },

  "stored, operation done, commit's answer lost, fence out of reach: check-back delivers": async (
    world,
  ) => {
    world.fence.lose("check", "request");
    world.fence.lose("transaction", "answer");
    const end = await world.active.transact(ID, paying(world));
    assert.equal(end.outcome, "in_doubt");
    assert.deepEqual(await world.databases.payments(), [ID]);
    await checkBack(world);
    await mustBeDeliveredOnce(world);
  },
};

async function commitWithoutAnswer(world: HalfWorld): Promise<void> {
  world.fence.lose("transaction", "answer");
  const end = await world.active.transact(ID, paying(world));
  assert.deepEqual(told(end), ["committed", true]);
  world.clock.advance(1_000);
  await world.bus.tick();
}
