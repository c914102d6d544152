/**
 * Exceptions on the side of the consumer, after the message was confirmed.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  CONSUMER_RETRY,
  type HalfWorld,
  ID,
  LEASE_MS,
  statusOf,
  Unshipped,
} from "../../../support/half_world.ts";
import { mustBeDeliveredOnce, paying, type Rows } from "./row.ts";

const REASON = "the warehouse is closed";
const IN_INBOX = { id: ID, group: "shop" };

/** The message is delivered, and the consumer or its answer fails. */
export const consumerRows: Rows = {
  "consumer handles it, acknowledgement lost: redelivered, and one effect": async (world) => {
    await committed(world);
    world.transport.lose("send", "answer");
    await tickLater(world);
    assert.equal(await statusOf(world), "scheduled");
    assert.deepEqual(await world.databases.shipments(), [ID]);
    assert.equal((await world.bus.store.find("inbox", IN_INBOX))?.state, "succeeded");
    await tickLater(world);
    assert.equal(world.observed.all("redelivered").length, 1);
    await mustBeDeliveredOnce(world);
  },

  "consumer handles it, sender killed before it can write that down: one effect": async (world) => {
    await committed(world);
    world.store.lose("settle", "request", { of: "outbox" });
    await tickLater(world).catch(() => {});
    assert.deepEqual(await world.databases.shipments(), [ID]);
    world.crash();
    world.clock.advance(LEASE_MS);
    await tickLater(world);
    await mustBeDeliveredOnce(world);
  },

  "consumer keeps failing: retries stop, its failure shows and is reported, and a manual retry heals":
    async (world) => {
      world.consumer = () => {
        throw new Error(REASON);
      };
      await committed(world);
      for (let tick = 0; tick < CONSUMER_RETRY.maxAttempts + 3; tick++) await tickLater(world);
      const failed = await world.bus.store.find("inbox", IN_INBOX);
      assert.deepEqual([failed?.state, failed?.attempts], ["failed", CONSUMER_RETRY.maxAttempts]);
      assert.match(failed?.reason ?? "", new RegExp(REASON));
      assert.equal(world.observed.all("failed", { box: "inbox", id: ID }).length, 1);
      assert.deepEqual(
        world.reports.map(({ messageId, attempts }) => [messageId, attempts]),
        [[ID, CONSUMER_RETRY.maxAttempts]],
      );
      assert.deepEqual(await world.databases.shipments(), []);

      world.consumer = () => {};
      await world.bus.retry({ box: "inbox", ...IN_INBOX });
      await tickLater(world);
      assert.deepEqual(await world.databases.shipments(), [ID]);
      assert.equal((await world.bus.store.find("inbox", IN_INBOX))?.state, "succeeded");
      assert.deepEqual(await world.databases.payments(), [ID]);
    },
};

async function committed(world: HalfWorld): Promise<void> {
  const half = await world.active.prepare(ID, { failureCallback: Unshipped });
  await world.fence.part.transaction(async (tx) => {
    await half.fence(tx);
    await paying(world)(tx);
  });
  const { outcome } = await half.confirm();
  assert.equal(outcome, "committed");
}

async function tickLater({ clock, bus }: HalfWorld): Promise<void> {
  clock.advance(5_000);
  await bus.tick();
}
