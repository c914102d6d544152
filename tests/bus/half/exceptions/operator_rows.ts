/**
 * Rows that need a person: the participant does not answer, so that nothing decides by itself.
 *
 * @module
 */
import assert from "node:assert/strict";
import { DEFAULT_CHECK, FORCE_AFTER_MS } from "../../../../core/lifecycle/check_back.ts";
import { checkBack, type HalfWorld, ID, Paid, statusOf } from "../../../support/half_world.ts";
import { mustBeDeliveredOnce, paying, type Rows } from "./row.ts";

const BY = { by: "Ann", reason: "the bank is gone" };
const FORCE = { ...BY, force: true };

/** The rows. */
export const operatorRows: Rows = {
  "participant silent for an hour, operation done: an operator cancels by force, and is contradicted":
    async (world) => {
      const half = await world.active.prepare(ID);
      await world.fence.part.transaction(async (tx) => {
        await half.fence(tx);
        await paying(world)(tx);
      });
      await beSilentForAnHour(world);
      assert.equal((await world.bus.resolve(ID, "cancel", FORCE)).state, "cancelled");
      const record = await recordOf(world);
      assert.match(record?.note ?? "", /^Cancelled by Ann by force, .*: the bank is gone$/);
      assert.equal(record?.details?.forced, true);
      world.fence.heal();

      const { error, ...end } = await half.confirm() as { error?: unknown };
      assert.deepEqual(end, {
        outcome: "committed",
        id: ID,
        settled: true,
        contradicted: true,
        result: undefined,
      });
      assert.equal((error as { code?: string }).code, "wrong_state");
      assert.equal(world.observed.all("contradicted", { id: ID, forced: true }).length, 1);
      assert.equal(await statusOf(world), "cancelled");
      await checkBack(world);
      assert.deepEqual(await world.databases.payments(), [ID]);
      assert.deepEqual(await world.databases.shipments(), []);
    },

  "participant silent for an hour, and back when an operator would force: it has the last word":
    async (world) => {
      const half = await world.active.prepare(ID);
      await world.fence.part.transaction(async (tx) => {
        await half.fence(tx);
        await paying(world)(tx);
      });
      await beSilentForAnHour(world);
      world.fence.heal();
      await assert.rejects(world.bus.resolve(ID, "cancel", FORCE), { code: "wrong_state" });
      assert.equal((await recordOf(world))?.note, null);
      await checkBack(world);
      await mustBeDeliveredOnce(world);
    },
};

/** Rows of a participant that is a bus itself. */
export const earlyRows: Rows = {
  "asked about before it is prepared, and before its operation had its time: nothing is fenced off":
    async (world) => {
      await world.fence.part.ready();
      const nowMs = world.clock.now();
      const question = { id: ID, name: Paid.name, epoch: 0, preparedAtMs: nowMs };
      for (const checkedAtMs of [nowMs, nowMs + DEFAULT_CHECK.immunityMs - 1]) {
        assert.equal(
          await world.bus.checkBack({ ...question, checkedAtMs: checkedAtMs }),
          "unknown",
        );
      }
      assert.equal(await world.bus.checkBack({ id: ID, name: Paid.name, epoch: 0 }), "unknown");
      assert.equal(await world.databases.fenced(ID), null);
      const end = await world.active.transact(ID, paying(world));
      assert.equal(end.outcome, "committed");
      const checkedAtMs = nowMs + DEFAULT_CHECK.immunityMs;
      assert.equal(
        await world.bus.checkBack({ ...question, checkedAtMs: checkedAtMs }),
        "committed",
      );
      await world.bus.tick();
      await mustBeDeliveredOnce(world);
    },
};

/** Check-backs go unanswered for an hour, so that an operator may decide; before that none may. */
async function beSilentForAnHour(world: HalfWorld): Promise<void> {
  world.fence.lose("check", "request", { times: 1_000 });
  await checkBack(world);
  assert.equal((await recordOf(world))?.details?.unreachableSinceMs, world.clock.now());
  await assert.rejects(world.bus.resolve(ID, "cancel", FORCE), { code: "unreachable" });
  world.clock.advance(FORCE_AFTER_MS);
  await world.bus.tick();
  assert.equal(await statusOf(world), "prepared");
}

async function recordOf({ databases }: HalfWorld) {
  const store = databases.newStore();
  await store.ready();
  return await store.find("outbox", { id: ID, group: "" });
}
