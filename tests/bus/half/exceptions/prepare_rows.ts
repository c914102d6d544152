/**
 * Exceptions before the business operation has begun.
 *
 * @module
 */
import assert from "node:assert/strict";
import { checkBack, type HalfWorld, ID, statusOf } from "../../../support/half_world.ts";
import {
  mustBeCancelled,
  mustBeDeliveredOnce,
  mustBeUntouched,
  paying,
  type Rows,
  told,
} from "./row.ts";

/** Sending the half message goes wrong. */
export const prepareRows: Rows = {
  "pre-send fails: the caller sees it, and nothing was begun": async (world) => {
    world.store.lose("add", "request");
    await mustFailUnbegun(world);
    await mustBeUntouched(world);
  },

  "pre-send's answer is lost, not stored: given up": async (world) => {
    world.loseOnTheWay("prepare", "request");
    await mustFailUnbegun(world);
    world.crash();
    await checkBack(world);
    await mustBeUntouched(world);
  },

  "pre-send's answer is lost, not stored: tried again with the same id": async (world) => {
    world.loseOnTheWay("prepare", "request");
    await mustFailUnbegun(world);
    const { outcome } = await world.active.transact(ID, paying(world));
    assert.equal(outcome, "committed");
    world.clock.advance(1_000);
    await world.bus.tick();
    await mustBeDeliveredOnce(world);
  },

  "pre-send's answer is lost, stored: check-back cancels it": async (world) => {
    world.loseOnTheWay("prepare", "answer");
    await mustFailUnbegun(world);
    assert.equal(await statusOf(world), "prepared");
    assert.equal(await world.databases.fenced(ID), null);
    await checkBack(world);
    assert.equal(await world.databases.fenced(ID), "aborted");
    await mustBeCancelled(world);
  },

  "pre-send's answer is lost, stored: an operation that comes after the cancel does not run":
    async (world) => {
      world.loseOnTheWay("prepare", "answer");
      await mustFailUnbegun(world);
      await checkBack(world);
      let ran = false;
      const late = await world.active.transact(ID, () => Promise.resolve(void (ran = true)));
      assert.deepEqual([late.outcome, ran], ["aborted", false]);
      await mustBeCancelled(world);
    },

  "pre-send's answer is lost, stored: tried again with the same id, it is the same message": async (
    world,
  ) => {
    world.loseOnTheWay("prepare", "answer");
    await mustFailUnbegun(world);
    const again = await world.active.transact(ID, paying(world));
    assert.deepEqual(told(again), ["committed", true]);
    world.clock.advance(1_000);
    await world.bus.tick();
    await mustBeDeliveredOnce(world);
  },
};

async function mustFailUnbegun(world: HalfWorld): Promise<void> {
  let ran = false;
  await assert.rejects(world.active.transact(ID, () => Promise.resolve(void (ran = true))));
  assert.equal(ran, false);
}
