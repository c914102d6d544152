/**
 * Publishes messages in the ways there are: alone, many at once, in a transaction that may roll back, and as half
 * messages whose business data is in another database.
 *
 * @module
 */
import type { MemoryFenceTransaction } from "../../../adapters/memory/mod.ts";
import type { PublishOptions } from "../../../mod.ts";
import type { Tx } from "../../support/bus_fixture.ts";
import { Deduct, Marked, Note, Reminder, Stuck } from "../contracts.ts";
import { KILLS_HANDLER } from "../faults/handlers.ts";
import { KILLS_SENDER } from "../faults/network.ts";
import type { Instance, World } from "../world.ts";
import type { Actor } from "./actor.ts";

/** How many messages a round publishes at the most, and how many more a burst does. */
const MESSAGES = 4;
const BURST = 6;
/** How long a delayed message waits, and how long one with a deadline may take, in milliseconds. */
const DELAY_MS = 5_000;
const DEADLINE_MS = 8_000;

/** How many operations of half messages outlast all check-backs, and how long they take, in milliseconds. */
const LONG_OPERATIONS = 0.1;
const LONG_OPERATION_MS = 20_000;

/** Publishes messages. */
export const publisher: Actor = {
  name: "publisher",
  act(world) {
    const random = world.stream("publisher");
    const burst = random() < 0.15 ? BURST : 0;
    for (let left = Math.floor(random() * (MESSAGES + 1)) + burst; left > 0; left--) {
      const wish = wishOf(world, random, ++world.story.wanted);
      const instance = world.aliveOf(world.orders);
      if (instance === undefined || world.plan.without.includes(wish.n)) continue;
      world.story.publishing.set(wish.n, instance.process);
      publish(world, instance, wish).catch(() => {
        // Its publisher was told that it failed, or that nobody knows: either may be so.
      }).finally(() => world.story.publishing.delete(wish.n));
    }
  },
};

/** A message that somebody wants to publish. */
interface Wish {
  readonly n: number;
  readonly id: string;
  /** Or one of the others, whose bodies are the same. */
  readonly contract: typeof Deduct;
  readonly way: "alone" | "many" | "transaction" | "half";
  readonly rollsBack: boolean;
  readonly body: { readonly n: number; readonly isPoison: boolean };
  readonly options: Pick<
    PublishOptions<Tx, { n: number }>,
    "callback" | "failureCallback" | "delayMs" | "deadlineMs"
  >;
}

class RolledBack extends Error {}

function wishOf({ plan, faults }: World, random: () => number, n: number): Wish {
  const kind = random();
  const contract = (kind < 0.5 ? Deduct : kind < 0.75 ? Note : Reminder) as typeof Deduct;
  const chance = random();
  const way = chance < 0.25
    ? "transaction"
    : chance < 0.5 && plan.hasHalves
    ? "half"
    : chance < 0.6
    ? "many"
    : "alone";
  const time = random();
  const isDeadly = faults.happens("deadly", null, `${way}-${n}`);
  const kills = faults.pick("deadly", [KILLS_SENDER, KILLS_HANDLER]) as string;
  return {
    n,
    id: `${way}-${n}${isDeadly ? kills : ""}`,
    contract,
    way,
    rollsBack: random() < 0.3,
    body: { n, isPoison: faults.happens("poison", null, `${way}-${n}`) },
    options: {
      ...kind < 0.5 ? { callback: Marked } : {},
      ...kind >= 0.75 ? {} : { failureCallback: Stuck },
      ...time < 0.25 ? { delayMs: DELAY_MS } : {},
      ...time > 0.9 ? { deadlineMs: DEADLINE_MS } : {},
    },
  };
}

async function publish(world: World, instance: Instance, wish: Wish): Promise<void> {
  const { story, time } = world;
  const { contract, body, id, options } = wish;
  const { delayMs } = options;
  if (delayMs !== undefined) {
    for (const each of [id, `b-${id}`]) story.delayed.set(each, time.nowMs + delayMs);
  }
  world.event(`${instance.process.name} publishes ${id}: ${contract.name}`);
  switch (wish.way) {
    case "half":
      return await prepare(world, instance, wish);
    case "transaction":
      return await inTransaction(world, instance, wish);
    case "many": {
      const ids = [id, `b-${id}`];
      await instance.bus.publishMany(contract, [body, body], { ...options, ids });
      story.promised.push(...ids);
      return;
    }
    case "alone":
      await instance.bus.publish(contract, body, { ...options, id });
      story.promised.push(id);
  }
}

/** The business data in one transaction with the message. */
async function inTransaction({ story }: World, { bus, process }: Instance, wish: Wish) {
  const { contract, body, id, options, rollsBack } = wish;
  if (rollsBack) story.abandoned.push(id);
  await bus.transaction(async (tx) => {
    await bus.publish(contract, body, { ...options, id, tx });
    await process.call(`work of ${id}`, () => Promise.resolve());
    if (rollsBack) throw new RolledBack();
  });
  story.promised.push(id);
}

/** The business data in another database. */
async function prepare(world: World, instance: Instance, wish: Wish): Promise<void> {
  const { bus, process } = instance;
  const { story, payments } = world;
  const { contract, body, id, options, rollsBack } = wish;
  story.halves.push(id);
  story.operations.set(id, process);
  const pay = async (tx: MemoryFenceTransaction) => {
    payments.add(id);
    tx.onRollback(() => payments.delete(id));
    await process.call(`payment of ${id}`, () => Promise.resolve());
    if (rollsBack) throw new RolledBack();
  };
  try {
    if (world.stream("long operations")() < LONG_OPERATIONS) {
      return await operateForLong(world, instance, wish, pay);
    }
    const { outcome } = await bus.transact(contract, body, pay, { ...options, id });
    if (outcome === "committed") story.promised.push(id);
    if (outcome === "aborted") story.abandoned.push(id);
  } finally {
    story.operations.delete(id);
  }
}

/** An operation that outlasts all check-backs, and whose outcome nobody reports: its message waits for an operator. */
async function operateForLong(
  { story, time }: World,
  { bus, fence, process }: Instance,
  { contract, body, id, options }: Wish,
  pay: (tx: MemoryFenceTransaction) => Promise<void>,
): Promise<void> {
  const half = await bus.prepare(contract, body, { ...options, id });
  await fence.transaction(async (tx) => {
    await half.fence(tx);
    await time.pause(LONG_OPERATION_MS);
    // A process that has died meanwhile goes no further.
    await process.call(`the long operation of ${id}`, () => Promise.resolve());
    await pay(tx);
  });
  story.promised.push(id);
}
