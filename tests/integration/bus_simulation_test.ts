import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Box, FailureReport, StoredRecord } from "../../mod.ts";
import { SEED } from "../support/property.ts";
import {
  Deduct,
  Effect,
  GROUPS,
  isPoison,
  Marked,
  type Service,
  Simulation,
  Stuck,
} from "../support/simulation.ts";

const RUNS = 8;
const ROUNDS = 25;

async function all(service: Service, box: Box, name: string): Promise<StoredRecord[]> {
  return await service.store.list({ box, name, limit: 100_000 });
}

/** Publishes, works, fails and dies for a while, and gives back what was promised to be published. */
async function chaos(world: Simulation): Promise<string[]> {
  const promised: string[] = [];
  const { orders, inventory } = world;
  await world.start(orders);
  await world.start(inventory);
  for (let round = 0, n = 0; round < ROUNDS; round++) {
    const count = Math.floor(world.chance("count") * 6);
    await Promise.all(Array.from({ length: count }, async () => {
      const id = `order-${++n}`;
      const delayMs = world.chance("delay") < 0.2 ? 5_000 : 0;
      const options = { id, delayMs, callback: Marked, failureCallback: Stuck };
      const published = orders.bus.publish(Deduct, { n }, options);
      await published.then(() => promised.push(id), () => {});
    }));
    const withdrawing = withdraw(world, promised);
    await world.work();
    await withdrawing;
    for (const service of [orders, inventory]) {
      if (world.fails(`${service.name} crash`, 1.5)) await world.crash(service);
    }
  }
  return promised;
}

/** Now and then its publisher wants a message back; whether it is told the outcome is another matter. */
async function withdraw(world: Simulation, promised: readonly string[]): Promise<void> {
  if (promised.length === 0 || world.chance("cancel") > 0.7) return;
  const latest = promised.slice(-8);
  const id = latest[Math.floor(world.chance("which") * latest.length)] as string;
  await world.orders.bus.cancel(id).catch(() => {});
}

/** Nothing goes wrong any more: works until nothing is scheduled. */
async function calm(world: Simulation): Promise<void> {
  world.faultRate = 0;
  const { orders, inventory } = world;
  const isOpen = async () => {
    const counts = await Promise.all(
      [orders, inventory].flatMap(({ store }) => [store.count("outbox"), store.count("inbox")]),
    );
    return counts.some(({ scheduled }) => scheduled > 0) || world.isCarrying;
  };
  for (let round = 0; await isOpen(); round++) {
    assert.ok(round < 500, "messages are still scheduled after 500 calm rounds");
    await world.work();
    world.clock.advance(5_000);
  }
}

function keyOf({ id, group }: StoredRecord): string {
  return `${id} in "${group}"`;
}

/** What a failure callback is about. */
function aboutOf(record: StoredRecord): string {
  const { messageId, group } = reportOf(record);
  return `${messageId} in "${group}"`;
}

function reportOf({ message }: StoredRecord): FailureReport {
  return JSON.parse(String(message.body)) as FailureReport;
}

/** Everything that was promised happened once, or failed where it can be seen. */
async function reconcile({ orders, inventory }: Simulation, promised: string[]): Promise<number> {
  const requests = await all(orders, "outbox", Deduct.name);
  const stored = new Set(requests.map(({ id }) => id));
  for (const id of promised) assert.ok(stored.has(id), `${id} was promised and is not there`);
  const received = await all(inventory, "inbox", Deduct.name);
  const reports = await all(orders, "inbox", Stuck.name);
  const effects = [
    ...await all(inventory, "outbox", Effect.name),
    ...await all(orders, "outbox", Effect.name),
  ].map(({ message }) => JSON.parse(String(message.body)) as { of: string; group: string });
  const effectsOf = ({ id, group }: StoredRecord) =>
    effects.filter((effect) => effect.of === id && effect.group === group).length;

  for (const request of requests) {
    if (request.state === "succeeded") {
      const groups = received.filter(({ id }) => id === request.id).map(({ group }) => group);
      assert.deepEqual(groups.toSorted(), GROUPS.toSorted(), `${request.id} was sent`);
    } else if (request.state === "cancelled") {
      const arrived = received.filter(({ id }) => id === request.id);
      assert.deepEqual(arrived.map(keyOf), [], `${request.id} was withdrawn and arrived`);
    } else assert.equal(request.state, "failed");
  }
  for (const report of reports) {
    const { messageId, group, mayHaveArrived } = reportOf(report);
    const hasArrived = group === "" && received.some(({ id }) => id === messageId);
    assert.ok(!hasArrived || mayHaveArrived, `${messageId} arrived, and its failure says no`);
  }
  for (const record of received) {
    const { n } = JSON.parse(String(record.message.body)) as { n: number };
    const isHandled = record.state === "succeeded";
    assert.ok(isHandled || record.state === "failed", record.state);
    assert.ok(!(isHandled && isPoison(n)), `${record.id} is poison and was handled`);
    assert.equal(effectsOf(record), isHandled ? 1 : 0, `effects of ${record.id} ${record.group}`);
  }
  const replies = await all(inventory, "outbox", Marked.name);
  assert.equal(replies.length, received.filter(({ state }) => state === "succeeded").length);
  const answered = await all(orders, "inbox", Marked.name);
  assert.deepEqual(
    replies.filter(({ state }) => state === "succeeded").map(({ id }) => id)
      .filter((id) => !answered.some((record) => record.id === id)),
    [],
    "replies that were sent and did not arrive",
  );
  for (const record of [...answered, ...reports]) {
    assert.equal(effectsOf(record), record.state === "succeeded" ? 1 : 0);
  }
  const words = await all(inventory, "outbox", Stuck.name);
  const failures = received.filter(({ state }) => state === "failed");
  assert.deepEqual(words.map(aboutOf).toSorted(), failures.map(keyOf).toSorted());
  const unsent = requests.filter(({ state }) => state === "failed");
  const arrived = words.filter(({ state }) => state === "succeeded");
  const known = reports.map(aboutOf);
  assert.equal(new Set(known).size, known.length, "a failure was reported twice");
  for (const about of [...unsent.map(keyOf), ...arrived.map(aboutOf)]) {
    assert.ok(known.includes(about), `nobody heard of the failure of ${about}`);
  }
  return effects.length;
}

describe(`bus: two services on unreliable ground, seeds from ${SEED}`, () => {
  const worlds = [
    ["ticking", "calls"],
    ["running", "calls"],
    ["ticking", "stream"],
    ["running", "stream"],
  ] as const;
  for (const [mode, carrier] of worlds) {
    for (let seed = SEED; seed < SEED + RUNS; seed++) {
      it(`nothing is lost or done twice, ${mode}, over ${carrier}, seed ${seed}`, async () => {
        const world = new Simulation(seed, mode, carrier);
        const promised = await chaos(world);
        await calm(world);
        assert.ok(promised.length > 10);
        const effects = await reconcile(world, promised);
        assert.ok(effects > promised.length);
        await world.end();
      });
    }
  }
});
