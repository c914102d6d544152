import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { inProcessTransport } from "../../../adapters/memory/mod.ts";
import { upstashRedisStore } from "../../../adapters/upstash_redis/mod.ts";
import {
  type Bus,
  type BusOptions,
  createBus,
  defineMessage,
  failureReport,
  HEADER,
  NonRetryable,
  subscribe,
  type Subscriber,
} from "../../../mod.ts";
import { arriving, Deduct, Marked, Placed } from "../../support/bus_fixture.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { Observed } from "../../support/observed.ts";
import { skipFor } from "../../support/skip.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "../../support/upstash_redis.ts";

const problem = redisProblem();
const Stuck = defineMessage("order.stuck", { body: failureReport });
const REQUEST = arriving("r", {
  name: Deduct.name,
  headers: { [HEADER.callbackName]: Marked.name },
});

describe("bus on Upstash Redis", { skip: problem !== null && skipFor(problem) }, () => {
  let upstash: UpstashRedis;
  let prefix = "";
  let prefixes = 0;

  before(async () => {
    upstash = await startUpstashRedis();
  });
  after(() => upstash.stop());
  beforeEach(() => {
    prefix = `bus-${++prefixes}`;
  });

  /** A bus of one more process on the same records. */
  function process(
    subscribers: readonly Subscriber<never>[] = [],
    options: Partial<BusOptions> = {},
  ): { bus: Bus; observed: Observed } {
    const observed = new Observed();
    const bus = createBus({
      store: upstashRedisStore({ redis: upstash.connect(), prefix }) as never,
      transport: inProcessTransport(),
      observe: observed.observe,
      random: () => 0,
      ...options,
    }, subscribers as readonly Subscriber<unknown>[]);
    return { bus, observed };
  }

  it("publishes, sends, handles and replies, by ticks alone", async () => {
    const replies: unknown[] = [];
    const { bus } = process([
      subscribe(Deduct, { group: "stock" }, ({ n }) => ({ n, ok: true })),
      subscribe(Marked, { group: "orders" }, (body) => void replies.push(body)),
    ]);
    await bus.publish(Deduct, { n: 1 }, { callback: Marked });
    const report = await bus.tick();
    assert.deepEqual(replies, [{ n: 1, ok: true }]);
    assert.deepEqual([report.sent, report.nextDueAtMs], [2, null]);
    const [inbox, outbox] = await Promise.all([
      bus.store.count("inbox"),
      bus.store.count("outbox"),
    ]);
    assert.deepEqual([inbox.succeeded, outbox.succeeded], [2, 2]);
  });

  it("answers a redelivery from its inbox", async () => {
    let runs = 0;
    const { bus } = process([
      subscribe(Deduct, { group: "stock" }, ({ n }) => {
        runs += 1;
        return { n, ok: true };
      }),
      subscribe(Marked, { group: "orders" }, () => {}),
    ]);
    const first = await bus.deliver([REQUEST]);
    assert.deepEqual(await bus.deliver([REQUEST]), [
      { kind: "handled", duplicate: true, reply: '{"n":1,"ok":true}' },
    ]);
    assert.deepEqual([first[0]?.kind, runs], ["handled", 1]);
  });

  it("of many buses at once each message is handled by one, and none is left out", async () => {
    const handled: number[] = [];
    const retry = { kind: "fixed", delayMs: 1, maxAttempts: 3 } as const;
    const subscriber = subscribe(Placed, { group: "g", retry }, ({ n }, { attempt }) => {
      if (attempt === 1 && n % 5 === 0) throw new Error("once");
      handled.push(n);
    });
    const buses = Array.from({ length: 3 }, () => process([subscriber], { pollMs: 20 }));
    await Promise.all(buses.map(({ bus }) => bus.start()));
    const numbers = Array.from({ length: 150 }, (_, n) => n);
    await Promise.all(numbers.map((n) => buses[n % 3]?.bus.publish(Placed, { n })));
    const done = () => handled.length === numbers.length;
    await Promise.race(buses.map(({ observed }) => observed.untilThat(done)));
    await Promise.all(buses.map(({ bus }) => bus.stop()));
    assert.deepEqual(handled.toSorted((a, b) => a - b), numbers);
  });

  it("a delayed message waits, can be withdrawn, and an overdue one fails", async () => {
    const clock = new ManualClock();
    const sent: number[] = [];
    const { bus } = process([
      subscribe(Placed, { group: "g" }, ({ n }) => void sent.push(n)),
    ], { clock });
    await bus.publish(Placed, { n: 1 }, { delayMs: 1_000 });
    await bus.publish(Placed, { n: 2 }, { delayMs: 1_000, id: "withdrawn" });
    await bus.publish(Placed, { n: 3 }, {
      delayMs: 1_000,
      deadlineMs: 1_000,
      id: "deadline_exceeded",
    });
    assert.equal((await bus.tick()).nextDueAtMs, clock.now() + 1_000);
    assert.equal(await bus.cancel("withdrawn"), "cancelled");
    clock.advance(1_001);
    await bus.tick();
    assert.deepEqual(sent, [1]);
    const states = await Promise.all(
      ["withdrawn", "deadline_exceeded"].map((id) => bus.store.find("outbox", { id, group: "" })),
    );
    assert.deepEqual(states.map((found) => found?.state), ["cancelled", "failed"]);
  });

  it("the publisher learns of a failure, and an operator has it tried again", async () => {
    const reports: string[] = [];
    let isBroken = true;
    const { bus } = process([
      subscribe(Placed, { group: "g" }, () => {
        if (isBroken) throw new NonRetryable("never");
      }),
      subscribe(Stuck, { group: "orders" }, ({ reason }) => void reports.push(reason)),
    ]);
    await bus.publish(Placed, { n: 1 }, { id: "m", failureCallback: Stuck });
    await bus.tick();
    assert.deepEqual(reports, ["The handler failed"]);
    const failed = await bus.store.list({ box: "inbox", states: ["failed"], limit: 9 });
    assert.deepEqual(failed.map(({ id }) => id), ["m"]);
    isBroken = false;
    await bus.retry({ box: "inbox", id: "m", group: "g" });
    await bus.tick();
    assert.equal((await bus.store.count("inbox")).failed, 0);
  });

  it("many are published all or none", async () => {
    const { bus } = process([subscribe(Placed, { group: "g" }, () => {})]);
    await bus.publish(Placed, { n: 0 }, { id: "b" });
    const bodies = [{ n: 1 }, { n: 2 }];
    const taken = bus.publishMany(Placed, bodies, { ids: ["a", "b"] });
    await assert.rejects(taken, { code: "id_conflict" });
    assert.equal(await bus.store.find("outbox", { id: "a", group: "" }), null);
    const receipts = await bus.publishMany(Placed, [{ n: 1 }, { n: 0 }], { ids: ["a", "b"] });
    assert.deepEqual(receipts.map(({ duplicate }) => duplicate), [false, true]);
  });

  it("what is past its expiry is deleted, and nothing is left of it", async () => {
    const clock = new ManualClock();
    const { bus } = process([subscribe(Placed, { group: "g" }, () => {})], {
      clock,
      expiry: { succeededMs: 1_000 },
    });
    await bus.publish(Placed, { n: 1 });
    await bus.tick();
    clock.advance(24 * 60 * 60_000);
    assert.equal((await bus.tick()).pruned, 2);
    // What the inbox remembers beyond its record has a time of its own.
    clock.advance(3 * 24 * 60 * 60_000);
    await bus.tick();
    const left = await upstash.redis.keys(`{${prefix}}*`);
    // How far back the inbox has forgotten, and the counts, are one key each, however much there was.
    const kept = ["inbox:pruned", "inbox:totals", "outbox:totals"];
    assert.deepEqual(left.toSorted(), kept.map((key) => `{${prefix}}:${key}`));
  });
});
