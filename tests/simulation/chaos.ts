/**
 * What happens in a simulation: orders are published, withdrawn and paid for while everything fails, until nothing
 * fails any more and all is settled.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Deduct, Marked, Stuck } from "./contracts.ts";
import type { Instance, World } from "./world.ts";

/** What its publishers were told. */
export interface Story {
  /** Ids that were promised to be published. */
  readonly promised: string[];
  /** Ids that were published in transactions that rolled back. */
  readonly abandoned: string[];
  /** Ids of half messages. */
  readonly halves: string[];
}

/** How many messages a round publishes at the most, and what a burst has more. */
const ORDERS = 5;
const BURST = 15;
/** How many rounds it may take until all is settled: far more than all the leases and delays there can be. */
const CALM_ROUNDS = 400;

class RolledBack extends Error {}

/** Publishes, works, fails and dies for a while. */
export async function chaos(world: World): Promise<Story> {
  const story: Story = { promised: [], abandoned: [], halves: [] };
  const { random, time, plan } = world;
  for (let round = 0, n = 0; round < plan.rounds; round++) {
    const burst = random() < 0.1 ? BURST : 0;
    const count = Math.floor(random() * (ORDERS + 1)) + burst;
    for (let i = 0; i < count; i++) {
      const instance = world.aliveOf(world.orders);
      n += 1;
      if (instance !== undefined) void order(world, instance, n, story);
    }
    withdraw(world, story);
    for (const service of world.services) {
      for (let i = random() < 0.2 ? 2 : 1; i > 0; i--) world.tick(service);
    }
    await time.pass(Math.ceil(random() * 4_000));
    for (const service of world.services) {
      if (random() < 0.7) world.replaceDead(service);
      if (random() < 0.04) world.redeploy(service);
    }
  }
  return story;
}

/** Nothing goes wrong any more: works until nothing is scheduled. */
export async function calm(world: World): Promise<void> {
  world.calmDown();
  for (let round = 0, open = [""]; open.length > 0; round++, open = await openIn(world)) {
    if (round >= CALM_ROUNDS) assert.deepEqual(open, [], `still open after ${round} calm rounds`);
    for (const service of world.services) {
      world.replaceDead(service);
      world.tick(service);
    }
    await world.time.pass(5_000);
    await checkAgain(world);
  }
}

/** What is not settled yet. */
async function openIn({ services, network, stopping }: World): Promise<string[]> {
  const open = [...stopping].filter(({ isDead }) => !isDead).map(({ name }) => `${name} stops`);
  if (network.isCarrying) open.push("the stream carries messages");
  for (const { name, store } of services) {
    for (const box of ["outbox", "inbox"] as const) {
      const states = ["scheduled", "prepared"] as const;
      for (const record of await store.list({ box, states, limit: 20 })) {
        open.push(`${name} ${box} ${JSON.stringify(record)}`);
      }
    }
  }
  return open;
}

/** What parked in doubt while nobody knew is asked about again, as an operator would. */
async function checkAgain(world: World): Promise<void> {
  const inDoubt = await world.orders.store.list({
    box: "outbox",
    states: ["in_doubt"],
    limit: 100,
  });
  const instance = world.aliveOf(world.orders);
  for (const { id } of inDoubt) await instance?.bus.checkAgain(id);
}

/** One order, published in one of the ways there are. */
async function order(world: World, instance: Instance, n: number, story: Story): Promise<void> {
  const { random, plan } = world;
  const id = `order-${n}`;
  const delayMs = random() < 0.2 ? 5_000 : 0;
  const options = { id, delayMs, callback: Marked, failureCallback: Stuck };
  const way = random();
  try {
    if (way < 0.2) return await inTransaction(world, instance, n, story);
    if (way < 0.4 && plan.hasHalves) return await half(world, instance, n, story);
    await instance.bus.publish(Deduct, { n }, options);
    story.promised.push(id);
  } catch {
    // Its publisher was told that it failed, or that nobody knows: either may be so.
  }
}

/** An order with the business data in one transaction, which may roll back. */
async function inTransaction(
  { random }: World,
  { bus, process }: Instance,
  n: number,
  story: Story,
): Promise<void> {
  const id = `order-${n}`;
  const rollsBack = random() < 0.3;
  if (rollsBack) story.abandoned.push(id);
  await bus.transaction(async (tx) => {
    await bus.publish(Deduct, { n }, { id, tx, callback: Marked, failureCallback: Stuck });
    await process.call(`work of ${id}`, () => Promise.resolve());
    if (rollsBack) throw new RolledBack();
  });
  story.promised.push(id);
}

/** An order whose payment lies in another database. */
async function half(
  { random, payments }: World,
  { bus, process }: Instance,
  n: number,
  story: Story,
): Promise<void> {
  const id = `half-${n}`;
  const rollsBack = random() < 0.3;
  story.halves.push(id);
  const outcome = await bus.transact(Deduct, { n }, async (tx) => {
    payments.add(id);
    tx.onRollback(() => payments.delete(id));
    await process.call(`payment of ${id}`, () => Promise.resolve());
    if (rollsBack) throw new RolledBack();
  }, { id, callback: Marked, failureCallback: Stuck });
  if (outcome.outcome === "committed") story.promised.push(id);
  if (outcome.outcome === "aborted") story.abandoned.push(id);
}

/** Now and then a publisher wants a message back; whether it is told the outcome is another matter. */
function withdraw(world: World, { promised }: Story): void {
  const { random } = world;
  const id = world.pick(promised.slice(-8).filter((each) => each.startsWith("order")));
  if (id === undefined || random() > 0.7) return;
  world.aliveOf(world.orders)?.bus.cancel(id).catch(() => {});
}
