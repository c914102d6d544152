/**
 * What the rows of the exception table share: what must be true when a row is over.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { HalfOutcome } from "../../../../mod.ts";
import type { HalfWorld } from "../../../support/half_world.ts";
import { ID, LEASE_MS, statusOf } from "../../../support/half_world.ts";

/** Rows of the table by what happens: each brings the exception about, and asserts all that follows. */
export type Rows = Readonly<Record<string, (world: HalfWorld) => Promise<void>>>;

/** The two things the caller is told: how the operation ended, and whether the keeper knows. */
export function told(end: HalfOutcome<unknown>): readonly [string, boolean | null] {
  return [end.outcome, end.outcome === "in_doubt" ? null : end.settled];
}

/** The business operation: one payment, written behind the fence. */
export function paying(world: HalfWorld, id: string = ID): (tx: unknown) => Promise<void> {
  return (tx) => world.databases.pay(tx, id);
}

/** A business operation that writes and then fails. */
export function failing(world: HalfWorld): (tx: unknown) => Promise<void> {
  return async (tx) => {
    await world.databases.pay(tx, ID);
    throw new Error("card declined");
  };
}

/** Asserts that message and payment were both given up, and stay so however long one waits. */
export async function mustBeCancelled(world: HalfWorld): Promise<void> {
  assert.equal(await statusOf(world), "cancelled");
  assert.deepEqual(await world.databases.payments(), []);
  await mustStay(world, []);
  assert.equal(await statusOf(world), "cancelled");
}

/** Asserts that the payment was made once and the message delivered once, and nothing comes after. */
export async function mustBeDeliveredOnce(world: HalfWorld): Promise<void> {
  assert.equal(await statusOf(world), "succeeded");
  assert.deepEqual(await world.databases.payments(), [ID]);
  await mustStay(world, [ID]);
}

/** Asserts that nothing was stored, paid or delivered. */
export async function mustBeUntouched(world: HalfWorld): Promise<void> {
  assert.equal(await statusOf(world), null);
  assert.equal(await world.databases.fenced(ID), null);
  assert.deepEqual(await world.databases.payments(), []);
  await mustStay(world, []);
}

async function mustStay({ clock, bus, databases }: HalfWorld, shipped: string[]): Promise<void> {
  for (let round = 0; round < 2; round++) {
    clock.advance(10 * LEASE_MS);
    await bus.tick();
  }
  assert.deepEqual(await databases.shipments(), shipped);
  const inbox = await bus.store.list({ box: "inbox", limit: 10 });
  assert.deepEqual(
    inbox.map(({ id, state }) => [id, state]),
    shipped.map((id) => [id, "succeeded"]),
  );
}
