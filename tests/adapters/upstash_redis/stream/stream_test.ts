import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { upstashStreamTransport } from "../../../../adapters/upstash_redis/mod.ts";
import { HEADER } from "../../../../core/message/headers.ts";
import { subscribe } from "../../../../mod.ts";
import { skipFor } from "../../../support/skip.ts";
import { ACCEPT, Streams } from "../../../support/upstash_stream.ts";
import {
  redisProblem,
  startUpstashRedis,
  type UpstashRedis,
} from "../../../support/upstash_redis.ts";
import { arriving, Deduct, fixture, Placed } from "../../../support/bus_fixture.ts";

const { signal } = new AbortController();
const A = Placed.name;
const B = Deduct.name;
const problem = redisProblem();

function many(count: number, from = 0) {
  return Array.from({ length: count }, (_, i) => arriving(`m-${from + i}`));
}

describe("Upstash streams", { skip: problem === null ? false : skipFor(problem) }, () => {
  let upstash: UpstashRedis;
  let streams: Streams;
  before(async () => {
    upstash = await startUpstashRedis();
  });
  after(async () => await upstash.stop());
  beforeEach(async () => {
    streams = new Streams(upstash);
    await streams.make(A, B);
  });

  describe("groups", () => {
    it("each gets every message, and its processes share them", async () => {
      const sender = streams.process("orders");
      const [first, second, other] = ["a", "a", "b"].map((group) => streams.process(group));
      await sender.send(many(20), signal);
      const pulls = [
        await streams.pull(first!, [A], ACCEPT, 10),
        await streams.pull(second!, [A], ACCEPT, 10),
        await streams.pull(other!, [A]),
      ];
      assert.deepEqual(pulls.map(({ ids }) => ids.length), [10, 10, 20]);
      assert.equal(new Set([...pulls[0]!.ids, ...pulls[1]!.ids]).size, 20);
      assert.deepEqual(pulls.map(({ more }) => more), [true, true, false]);
    });

    it("one that is new gets what was sent before, unless it begins now", async () => {
      const sender = streams.process("orders");
      await sender.send(many(3), signal);
      const late = streams.process("late", { from: "now" });
      assert.deepEqual((await streams.pull(late, [A])).ids, []);
      assert.deepEqual((await streams.pull(streams.process("new"), [A])).ids.length, 3);
      await sender.send(many(1, 9), signal);
      assert.deepEqual((await streams.pull(late, [A])).ids, ["m-9"]);
    });

    it("what is subscribed to by pattern is found, also when it is new", async () => {
      streams = new Streams(upstash);
      const sender = streams.process("orders");
      const reader = streams.process("all");
      assert.deepEqual((await streams.pull(reader, ["#", "order.*"])).ids, []);
      streams.advance(60_000);
      await sender.send([arriving("a")], signal);
      assert.deepEqual((await streams.pull(reader, ["#"])).ids, ["a"]);
      await sender.send([arriving("b"), arriving("c", { name: B })], signal);
      assert.deepEqual((await streams.pull(reader, ["order.*"])).ids, ["b"]);
      streams.advance(60_000);
      assert.deepEqual((await streams.pull(reader, ["#"])).ids, ["c"]);
    });

    it("comes again after the database was emptied", async () => {
      const own = await startUpstashRedis();
      try {
        const alone = new Streams(own);
        const transport = alone.process("g");
        await alone.pull(transport, [A]);
        await own.redis.flushall();
        assert.equal((await transport.send(many(2), signal))[0]?.kind, "unroutable");
        assert.deepEqual((await alone.pull(transport, [A])).ids, []);
        await transport.send(many(2), signal);
        assert.deepEqual((await alone.pull(transport, [A])).ids, ["m-0", "m-1"]);
      } finally {
        await own.stop();
      }
    });

    it("one that is gone for good can be removed, and keeps nothing any more", async () => {
      const [stays, gone] = ["stays", "gone"].map((group) => streams.process(group, { keepMs: 0 }));
      await stays!.send(many(3), signal);
      await streams.pull(stays!, [A, B]);
      await streams.pull(gone!, [B]);
      await streams.pull(gone!, [A], () => ({ kind: "rejected", reason: "no" }), 1);
      await stays!.removeGroup("gone");
      await stays!.removeGroup("never.was");
      assert.deepEqual(await gone!.parked(), []);
      streams.advance(600_000);
      await streams.endTurns();
      await streams.pull(stays!, [A, B]);
      assert.equal(await upstash.redis.xlen(streams.key(A)), 0);
      // It is new then.
      await stays!.send(many(1), signal);
      assert.equal((await streams.pull(gone!, [A])).received, 1);
    });
  });

  describe("a name that no group takes", () => {
    beforeEach(() => {
      streams = new Streams(upstash);
    });

    const kinds = async (name: string, group = "orders") =>
      (await streams.process(group).send([arriving("m", { name })], signal)).map(({ kind }) =>
        kind
      );
    const keys = () => upstash.redis.keys(`{${streams.prefix}}:*`);

    it("is unroutable, and leaves nothing behind", async () => {
      upstash.proxy.billed.reset();
      const sent = await streams.process("orders").send([
        arriving("a"),
        arriving("b", { name: B }),
        arriving("c"),
      ], signal);
      assert.deepEqual(sent[1], {
        kind: "unroutable",
        reason:
          `Cannot route "${B}": it has no stream, want a subscriber of it that has started once`,
      });
      assert.deepEqual(sent.map(({ kind }) => kind), ["unroutable", "unroutable", "unroutable"]);
      assert.deepEqual(await keys(), []);
      assert.deepEqual(upstash.proxy.billed.byCommand, { XADD: 3, SMEMBERS: 1, KEYS: 1 });
    });

    it("is sent once a subscriber of it has fetched, also after that has stopped", async () => {
      await streams.pull(streams.process("stock"), [A]);
      assert.deepEqual([await kinds(A), await kinds(B)], [["sent"], ["unroutable"]]);
      assert.deepEqual((await streams.pull(streams.process("stock"), [A])).ids, ["m"]);
    });

    it("is sent where a group takes it by a pattern, and found by that", async () => {
      const reader = streams.process("all");
      await streams.pull(reader, ["order.*"]);
      const sent = await streams.process("orders").send([
        arriving("a"),
        arriving("b", { name: B }),
        arriving("c"),
      ], signal);
      assert.deepEqual(sent.map(({ kind }) => kind), ["sent", "unroutable", "sent"]);
      streams.advance(60_000);
      assert.deepEqual((await streams.pull(reader, ["order.*"])).ids, ["a", "c"]);
    });

    it("is so again when the last group that took it was removed, and not before", async () => {
      const [first, second] = [streams.process("first"), streams.process("second")];
      await streams.pull(first, [A]);
      await streams.pull(second, [A]);
      await first.removeGroup("first");
      assert.deepEqual(await kinds(A), ["sent"]);
      await first.removeGroup("second");
      assert.deepEqual(await kinds(A), ["unroutable"]);
      await streams.pull(first, [A]);
      assert.deepEqual(await kinds(A), ["sent"]);
      // What another takes by a pattern stays, though that has not found it yet.
      await streams.pull(second, ["order.*"]);
      await first.removeGroup("first");
      assert.deepEqual(await kinds(A), ["sent"]);
      await first.removeGroup("second");
      assert.deepEqual(await kinds("order.other"), ["unroutable"]);
    });

    it("waits in the outbox of its sender with the reason", async () => {
      const { bus, store, observed } = fixture([], { transport: streams.process("orders") });
      await bus.publish(Placed, { n: 1 }, { id: "m" });
      await bus.tick();
      const record = await store.find("outbox", { id: "m", group: "" });
      assert.deepEqual([record?.state, record?.attempts], ["scheduled", 0]);
      assert.match(record?.reason ?? "", /it has no stream/);
      assert.equal(observed.all("unroutable").length, 1);
    });
  });

  describe("what it costs", () => {
    it("at a batch of 50: one command to send each, one to read all, one to acknowledge all", async () => {
      const transport = streams.process("g");
      await transport.send(many(1), signal);
      await streams.pull(transport, [A]);
      upstash.proxy.billed.reset();
      await transport.send(many(50, 1), signal);
      const { received } = await streams.pull(transport, [A]);
      assert.equal(received, 50);
      assert.deepEqual(upstash.proxy.billed.byCommand, { XADD: 50, XREADGROUP: 1, XACK: 1 });
      assert.equal(upstash.proxy.billed.requests, 3);
    });

    it("an idle pull of many names is one command", async () => {
      const names = Array.from({ length: 30 }, (_, i) => `name.${i}`);
      const transport = streams.process("g");
      await streams.pull(transport, names);
      upstash.proxy.billed.reset();
      for (let i = 0; i < 5; i++) await streams.pull(transport, names);
      assert.deepEqual(upstash.proxy.billed.byCommand, { XREADGROUP: 5 });
    });

    it("a process that lives for one pull asks whose turn it is, and no more while it is another's", async () => {
      await streams.pull(streams.process("g"), [A, B]);
      upstash.proxy.billed.reset();
      await streams.pull(streams.process("g"), [A, B]);
      assert.deepEqual(upstash.proxy.billed.byCommand, { XREADGROUP: 1, SET: 1 });
    });

    it("now and then one process of a group looks for what was left behind", async () => {
      const transport = streams.process("g");
      await streams.pull(transport, [A, B]);
      streams.advance(60_000);
      await upstash.redis.del(`{${streams.prefix}}:turn:takeover:g`);
      upstash.proxy.billed.reset();
      await streams.pull(transport, [A, B]);
      // Two names and what was put back by hand.
      assert.deepEqual(upstash.proxy.billed.byCommand, { XREADGROUP: 1, SET: 1, XAUTOCLAIM: 3 });
    });
  });

  describe("what others left behind", () => {
    it("is taken over once it was idle for long enough, and not before", async () => {
      const dead = streams.process("g");
      const other = streams.process("g");
      await dead.send(many(3), signal);
      const lost = streams.pull(dead, [A], () => new Promise(() => {}));
      lost.catch(() => {});
      await untilPending(3);
      assert.deepEqual((await streams.pull(other, [A])).ids, []);
      streams.advance(60_000);
      await streams.endTurns();
      assert.deepEqual((await streams.pull(other, [A])).ids, []);
      streams.advance(60_000);
      await streams.endTurns();
      await streams.age(A, "g", 60_000);
      const taken = await streams.pull(other, [A]);
      assert.deepEqual([taken.received, taken.ids], [3, ["m-0", "m-1", "m-2"]]);
      assert.deepEqual(await streams.pending(A, "g"), []);
    });

    it("of more than can be taken at once, all is", async () => {
      const dead = streams.process("g", { consumer: "dead" });
      await dead.send(many(250), signal);
      for (let i = 0; i < 3; i++) await abandon("dead", 100);
      await streams.age(A, "g", 60_000);
      const other = streams.process("g");
      const ids = new Set<string>();
      for (let more = true; more;) {
        const pulled = await streams.pull(other, [A], ACCEPT, 100);
        for (const id of pulled.ids) ids.add(id);
        ({ more } = pulled);
      }
      assert.equal(ids.size, 250);
      assert.deepEqual(await streams.pending(A, "g"), []);
    });

    it("a consumer that is gone is removed once it holds nothing, and no other", async () => {
      const transport = streams.process("g", {
        consumer: "me",
        removeConsumerAfterMs: 1,
        minIdleMs: 1_000_000,
      });
      await transport.send(many(2), signal);
      await streams.pull(streams.process("g", { consumer: "gone" }), [A]);
      await transport.send(many(1, 2), signal);
      await abandon("holds", 1);
      await streams.endTurns();
      await untilIdle("gone", 1);
      await streams.pull(transport, [A]);
      assert.deepEqual(await consumers(), ["holds"]);
    });

    it("and one that comes back to life just then keeps what it fetched", async () => {
      const transport = streams.process("g", { removeConsumerAfterMs: 1 });
      await transport.send(many(1), signal);
      await streams.pull(streams.process("g", { consumer: "slow" }), [A]);
      await untilIdle("slow", 1);
      await streams.endTurns();
      let isBack = false;
      upstash.intercept = async (request, forward) => {
        if (!isBack && (await request.clone().text()).includes(`"EVAL"`)) {
          isBack = true;
          await transport.send(many(1, 1), signal);
          await abandon("slow", 1);
        }
        return await forward(request);
      };
      await streams.pull(transport, [A]);
      upstash.intercept = null;
      assert.ok(isBack);
      assert.deepEqual((await streams.pending(A, "g")).map(([, consumer]) => consumer), ["slow"]);
    });
  });

  describe("trimming", () => {
    it("keeps what some group has not read, or not acknowledged, and drops the rest", async () => {
      const [fast, slow] = ["fast", "slow"].map((group) => streams.process(group, { keepMs: 0 }));
      await streams.pull(fast!, [A]);
      await streams.pull(slow!, [A]);
      const tidied = async () => {
        streams.advance(600_000);
        await streams.endTurns();
        await streams.pull(fast!, [A]);
        return await upstash.redis.xlen(streams.key(A));
      };
      await fast!.send(many(10), signal);
      await streams.pull(fast!, [A]);
      assert.equal(await tidied(), 10);
      // Of the five that it reads, the third is not taken.
      await streams.pull(
        slow!,
        [A],
        ({ id }) => id === "m-2" ? { kind: "refused", reason: "busy" } : { kind: "accepted" },
        5,
      );
      assert.equal(await tidied(), 8);
      streams.advance(60_000);
      assert.deepEqual((await streams.pull(slow!, [A])).ids.slice(0, 1), ["m-2"]);
      assert.equal(await tidied(), 0);
      upstash.proxy.billed.reset();
      await tidied();
      assert.equal(upstash.proxy.billed.byCommand["XTRIM"], undefined);
    });

    it("what is recent is kept for groups that are still to come", async () => {
      const transport = streams.process("g", { keepMs: 60_000 });
      await transport.send(many(10), signal);
      await streams.pull(transport, [A]);
      streams.advance(50_000);
      await streams.endTurns();
      await streams.pull(transport, [A]);
      assert.equal(await upstash.redis.xlen(streams.key(A)), 10);
      streams.advance(3_600_000);
      await streams.endTurns();
      await streams.pull(transport, [A]);
      assert.equal(await upstash.redis.xlen(streams.key(A)), 0);
    });

    it("a group that began and never read keeps everything", async () => {
      const [reads, waits] = ["reads", "waits"].map((group) =>
        streams.process(group, { keepMs: 0 })
      );
      await streams.pull(waits!, [A]);
      await reads!.send(many(10), signal);
      await streams.pull(reads!, [A]);
      streams.advance(600_000);
      await streams.endTurns();
      await streams.pull(reads!, [A]);
      assert.equal((await streams.pull(waits!, [A])).received, 10);
    });
  });

  describe("what is not taken", () => {
    it("is tried again without another command, later each time", async () => {
      const transport = streams.process("g");
      await transport.send(many(2), signal);
      await streams.pull(
        transport,
        [A],
        ({ id }) => id === "m-0" ? { kind: "refused", reason: "busy" } : { kind: "accepted" },
      );
      upstash.proxy.billed.reset();
      for (const waitMs of [1_000, 2_000, 4_000]) {
        streams.advance(waitMs - 1);
        const early = await streams.pull(transport, [A]);
        assert.deepEqual([early.ids, early.nextAtMs], [[], streams.nowMs + 1]);
        streams.advance(1);
        const again = await streams.pull(
          transport,
          [A],
          () => ({ kind: "refused", reason: "busy" }),
        );
        assert.deepEqual(again.ids, ["m-0"]);
      }
      streams.advance(8_000);
      assert.equal((await streams.pull(transport, [A])).received, 1);
      assert.equal(upstash.proxy.billed.byCommand["XACK"], 1);
      assert.equal(upstash.proxy.billed.byCommand["XAUTOCLAIM"], undefined);
    });

    it("a message that the receiver cannot bear does not keep its neighbours back", async () => {
      const transport = streams.process("g");
      await transport.send(many(10), signal);
      const { received } = await streams.pull(transport, [A], ({ id }) => {
        if (id === "m-3") throw new Error("no room for it");
        return { kind: "accepted" };
      });
      assert.equal(received, 9);
      assert.equal((await streams.pending(A, "g")).length, 1);
    });

    it("and is parked after so many tries, while others are taken", async () => {
      const transport = streams.process("g", { maxDeliveries: 3 });
      for (let turn = 0; turn < 3; turn++) {
        await transport.send([arriving("bad"), arriving(`good-${turn}`)].slice(turn && 1), signal);
        streams.advance(60_000);
        await streams.pull(transport, [A], ({ id }) => {
          if (id === "bad") throw new Error("no room for it");
          return { kind: "accepted" };
        });
        assert.equal((await transport.parked()).length, turn === 2 ? 1 : 0);
      }
      const [parked] = await transport.parked();
      assert.deepEqual([parked?.id, parked?.stream], ["bad", streams.key(A)]);
      assert.match(parked?.reason ?? "", /not accepted 3 times: The receiver failed/);
      assert.deepEqual(await streams.pending(A, "g"), []);
    });

    it("in an outage nothing is parked, hardly anything fetched, and all comes after it", async () => {
      const transport = streams.process("g", { maxDeliveries: 2 });
      await transport.send(many(300), signal);
      upstash.proxy.billed.reset();
      for (let minute = 0; minute < 60; minute++) {
        await streams.pull(transport, [A], () => {
          throw new Error("no store");
        });
        streams.advance(60_000);
      }
      assert.deepEqual(await transport.parked(), []);
      assert.ok(upstash.proxy.billed.total < 130, `${upstash.proxy.billed.total} commands`);
      assert.ok((await streams.pending(A, "g")).length < 170);
      const ids = new Set<string>();
      for (let more = true; more;) {
        const pulled = await streams.pull(transport, [A]);
        for (const id of pulled.ids) ids.add(id);
        ({ more } = pulled);
      }
      assert.equal(ids.size, 300);
      assert.deepEqual(await streams.pending(A, "g"), []);
    });

    it("has what was put back by force taken although it may be forgotten, byte for byte", async () => {
      const transport = streams.process("g");
      const firstAttemptAtMs = 1_764_000_000_000;
      const message = arriving("m", { firstAttemptAtMs, body: '{"n": 1, "é":"~"}' });
      await transport.send([message], signal);
      await streams.pull(transport, [A], () => ({ kind: "rejected", reason: "too old" }));
      const [parked] = await transport.parked();
      await transport.requeue(parked?.parkedId ?? "", { force: true });
      const { calls } = await streams.pull(transport, [A]);
      const [again] = calls.flat();
      assert.deepEqual([again?.isForced, again?.firstAttemptAtMs], [true, firstAttemptAtMs]);
      assert.equal(again?.body, message.body);
      assert.deepEqual(await transport.parked(), []);
    });

    it("what can never be taken is parked with the reason, and put back for its group alone", async () => {
      const [a, b] = ["a", "b"].map((group) => streams.process(group));
      await a!.send(many(2), signal);
      await streams.pull(b!, [A]);
      await streams.pull(
        a!,
        [A],
        ({ id }) => id === "m-1" ? { kind: "rejected", reason: "no order" } : { kind: "accepted" },
      );
      const [parked] = await a!.parked();
      assert.deepEqual(parked, {
        parkedId: parked?.parkedId,
        stream: streams.key(A),
        id: "m-1",
        reason: "no order",
        deliveries: 1,
        parkedAtMs: streams.nowMs,
      });
      assert.deepEqual(await streams.pending(A, "a"), []);
      await a!.requeue(parked!.parkedId);
      assert.deepEqual(await a!.parked(), []);
      assert.deepEqual((await streams.pull(b!, [A])).ids, []);
      const again = await streams.pull(a!, [A]);
      assert.deepEqual(again.calls.flat().map(({ id, body }) => [id, body]), [[
        "m-1",
        arriving("").body,
      ]]);
      await assert.rejects(a!.requeue(parked!.parkedId), { code: "not_found" });
    });

    it("a message whose callback headers are no names is parked, and its neighbours arrive", async () => {
      const transport = streams.process("g");
      const headers = { [HEADER.callbackName]: "no name" };
      const handled: string[] = [];
      const { bus } = fixture([
        subscribe(Placed, { group: "g" }, (_body, { message }) => void handled.push(message.id)),
      ], { transport });
      await transport.send([arriving("a", { headers }), arriving("b")], signal);
      await bus.tick();
      const [parked, ...more] = await transport.parked();
      assert.deepEqual([parked?.id, more.length, handled], ["a", 0, ["b"]]);
      assert.match(
        parked?.reason ?? "",
        /"no name" as a callback name \(header "cap-callback-name"\)/,
      );
    });

    it("an entry that is no message is parked, and its neighbours arrive", async () => {
      const transport = streams.process("g");
      await transport.send(many(1), signal);
      const key = streams.key(A);
      const bad = [
        ["foo", "bar"],
        ["h", "~{}", "b", "~x"],
        ["h", `{"headers":{}}`, "b", "~x"],
        ["h", `~{"headers":{"cap-msg-id":"x","cap-msg-name":"a"}}`, "b", "=%%"],
        ["007", "1e3"],
      ];
      for (const fields of bad) await upstash.redis.exec(["XADD", key, "*", ...fields]);
      await transport.send(many(1, 1), signal);
      assert.deepEqual((await streams.pull(transport, [A])).ids, ["m-0", "m-1"]);
      const parked = await transport.parked();
      assert.equal(parked.length, bad.length);
      assert.ok(parked.every(({ id, reason }) => id === null && reason.startsWith("Cannot ")));
      assert.deepEqual(await streams.pending(A, "g"), []);
      // Put back as it was, for a version that can read it.
      await transport.requeue(parked[0]!.parkedId);
      await streams.pull(transport, [A]);
      assert.equal((await transport.parked()).length, bad.length);
      for (const { parkedId: place } of await transport.parked()) {
        assert.equal(await transport.discard(place), true);
      }
      assert.deepEqual(await transport.parked(), []);
      assert.equal(await transport.discard("nowhere"), false);
    });

    it("what its consumers die of is handed over alone, and parked in the end", async () => {
      const transport = streams.process("g", { maxDeliveries: 5 });
      await transport.send(many(3), signal);
      await streams.pull(streams.process("g"), [A], () => ({ kind: "refused", reason: "dying" }));
      const takeOver = async (deliveries: number) => {
        await streams.age(A, "g", 60_000, deliveries);
        await streams.endTurns();
        streams.advance(60_000);
        return await streams.pull(streams.process("g", { maxDeliveries: 5 }), [A], () => ({
          kind: "refused",
          reason: "dying",
        }));
      };
      assert.deepEqual((await takeOver(1)).calls.map((call) => call.length), [3]);
      assert.deepEqual((await takeOver(2)).calls.map((call) => call.length), [1, 1, 1]);
      assert.deepEqual((await takeOver(5)).ids, []);
      const parked = await transport.parked();
      assert.deepEqual(parked.map(({ deliveries }) => deliveries), [6, 6, 6]);
      assert.match(parked[0]?.reason ?? "", /fetched 6 times/);
    });
  });

  it("a bus that stops uses up no delivery of a message", async () => {
    const transport = streams.process("g", { maxDeliveries: 2 });
    await transport.send(many(2), signal);
    const stopping = { kind: "refused", code: "stopping", reason: "stopping" } as const;
    for (let i = 0; i < 5; i++) {
      // The other message is taken, so that it is not the receiver that seems to be down.
      await transport.send([{ ...many(1)[0]!, id: `other-${i}` }], signal);
      await streams.pull(
        transport,
        [A],
        ({ id }) => id.startsWith("other") ? { kind: "accepted" } : stopping,
      );
      streams.advance(30_000);
    }
    assert.deepEqual(await transport.parked(), []);
    const { ids } = await streams.pull(transport, [A]);
    assert.deepEqual(ids.filter((id) => id.startsWith("m-")).sort(), ["m-0", "m-1"]);
  });

  describe("the limit of pending entries", () => {
    it("is not reached by a receiver that takes nothing for long", async () => {
      const transport = streams.process("g");
      await transport.send(many(1_200), signal);
      let taken = 0;
      for (let i = 0; i < 20; i++) {
        // One of each fetch is taken, so that the receiver does not seem to be down.
        const { received } = await streams.pull(
          transport,
          [A],
          ({ id }) => id.endsWith("0") ? { kind: "accepted" } : { kind: "refused", reason: "slow" },
        );
        taken += received;
        assert.ok((await streams.pending(A, "g")).length < 1_000);
      }
      assert.ok(taken > 40);
      const left = new Set<string>();
      for (let i = 0; i < 40; i++) {
        for (const { id } of (await streams.pull(transport, [A])).calls.flat()) left.add(id);
        streams.advance(60_000);
      }
      assert.equal(left.size, 1_200 - taken);
      assert.deepEqual(await streams.pending(A, "g"), []);
    });

    it("where it is reached in one stream, others go on, and it does once its entries are found", async () => {
      const transport = streams.process("g", { consumer: "me" });
      await transport.send([...many(1_100), arriving("other", { name: B })], signal);
      // As when answers got lost: the server has handed out what this process never saw.
      for (let i = 0; i < 10; i++) await abandon("me", 100);
      const first = await streams.pull(transport, [A, B]);
      assert.deepEqual(first.ids, ["other"]);
      await streams.age(A, "g", 60_000);
      await streams.endTurns();
      const ids = new Set<string>();
      for (let i = 0; i < 30; i++) {
        streams.advance(60_000);
        for (const id of (await streams.pull(transport, [A, B])).ids) ids.add(id);
      }
      assert.equal(ids.size, 1_100);
    });
  });

  describe("the network", () => {
    it("a send whose answer is lost is sent twice by the client, and known by its id", async () => {
      const transport = streams.process("g");
      await transport.send([arriving("first")], signal);
      await loseAnswerOnce("XADD", () => transport.send(many(1), signal));
      const { calls } = await streams.pull(transport, [A]);
      assert.deepEqual(calls.map((call) => call.map(({ id }) => id)), [["first", "m-0", "m-0"]]);
    });

    it("a read whose answer is lost loses nothing", async () => {
      const transport = streams.process("g", { consumer: "me" });
      await transport.send(many(5), signal);
      await streams.pull(streams.process("g"), [B]);
      const first = await loseAnswerOnce("XREADGROUP", () => streams.pull(transport, [A]));
      assert.deepEqual(first.ids, []);
      await streams.age(A, "g", 60_000);
      await streams.endTurns();
      streams.advance(60_000);
      assert.equal((await streams.pull(transport, [A])).received, 5);
    });

    it("an acknowledgement that fails goes out with the next pull, and nothing comes again", async () => {
      const transport = streams.process("g", {
        redis: upstash.connect({ retry: { retries: 0 } }),
      });
      await transport.send(many(5), signal);
      await streams.pull(transport, [B]);
      upstash.intercept = async (request, forward) => {
        if ((await request.clone().text()).includes(`["XACK"`)) throw new Error("no connection");
        return await forward(request);
      };
      await assert.rejects(streams.pull(transport, [A]), { code: "unreachable" });
      upstash.intercept = null;
      assert.equal((await streams.pending(A, "g")).length, 5);
      assert.deepEqual((await streams.pull(transport, [A])).ids, []);
      assert.deepEqual(await streams.pending(A, "g"), []);
    });

    it("a token that may not write fails each message, and shows neither it nor a body", async () => {
      for (const token of [upstash.readOnlyToken, "wrong_token"]) {
        const transport = streams.process("g", {
          redis: upstash.connect({ token, retry: { retries: 0 } }),
        });
        const secret = arriving("m", { body: `{"card":"4711"}` });
        const [result] = await transport.send([secret], signal);
        assert.ok(result?.kind === "failed" && result.retryable);
        assert.doesNotMatch(result.reason, /4711|token_|wrong_token/);
        await assert.rejects(
          streams.pull(transport, [A]),
          (error: Error) => /NOPERM|WRONGPASS|permission/.test(error.message),
        );
      }
    });

    it("many large messages go in requests that the server takes", async () => {
      const transport = streams.process("g", { maxRequestBytes: 300_000 });
      const large = Array.from(
        { length: 10 },
        (_, i) => arriving(`m-${i}`, { contentType: "text/plain", body: `"${i}`.repeat(50_000) }),
      );
      const { requests } = upstash.proxy.billed;
      const results = await transport.send(large, signal);
      assert.ok(results.every(({ kind }) => kind === "sent"));
      assert.ok(upstash.proxy.billed.requests - requests >= 5);
      const arrived = (await streams.pull(transport, [A])).calls.flat();
      assert.deepEqual(arrived.map(({ id }) => id), large.map(({ id }) => id));
      assert.ok(arrived.every(({ body }, i) => body === large[i]?.body));
    });

    it("what is too large for the server fails, and its neighbours are sent", async () => {
      const own = await startUpstashRedis({ proxy: { maxRequestBytes: 100_000 } });
      try {
        const alone = new Streams(own);
        await alone.make(A);
        const transport = alone.process("g", { maxRequestBytes: 90_000 });
        const results = await transport.send([
          arriving("a"),
          arriving("b", { body: JSON.stringify("x".repeat(200_000)) }),
          arriving("c"),
        ], signal);
        assert.deepEqual(results.map(({ kind }) => kind), ["sent", "failed", "sent"]);
        assert.ok(results[1]?.kind === "failed" && !results[1].retryable);
      } finally {
        await own.stop();
      }
    });
  });

  it("options that cannot be are refused", () => {
    const { redis } = upstash;
    for (
      const options of [
        { prefix: "{a}" },
        { prefix: "a b" },
        { prefix: "" },
        { group: "a b" },
        { group: "" },
        { consumer: "ä" },
        { maxDeliveries: 0 },
        { minIdleMs: NaN },
        { names: ["not a name"] },
      ]
    ) {
      assert.throws(() => upstashStreamTransport({ redis, group: "g", ...options }), {
        code: options.names === undefined ? "invalid_option" : "invalid_name",
      });
    }
  });

  /** Fetches as this consumer, and forgets it. */
  async function abandon(consumer: string, count: number): Promise<void> {
    const key = streams.key(A);
    await upstash.redis.exec(["XGROUP", "CREATE", key, "g", "0", "MKSTREAM"]).catch(() => {});
    await upstash.redis.exec(
      ["XREADGROUP", "GROUP", "g", consumer, "COUNT", count, "STREAMS", key, ">"],
    );
  }

  async function consumers(): Promise<string[]> {
    const list = await upstash.redis.exec<unknown[][]>(["XINFO", "CONSUMERS", streams.key(A), "g"]);
    return list.map((consumer) => String(consumer[1]));
  }

  async function untilIdle(name: string, idleMs: number): Promise<void> {
    for (;;) {
      const list = await upstash.redis.exec<unknown[][]>(
        ["XINFO", "CONSUMERS", streams.key(A), "g"],
      );
      const found = list.find((consumer) => consumer[1] === name);
      if (Number(found?.[5]) > idleMs) return;
    }
  }

  async function untilPending(count: number): Promise<void> {
    const isThere = () => streams.pending(A, "g").then((all) => all.length >= count, () => false);
    while (!await isThere());
  }

  /** Breaks the connection off once after a command was done, so that the client sends it again. */
  async function loseAnswerOnce<Result>(
    command: string,
    work: () => Promise<Result>,
  ): Promise<Result> {
    let isLost = false;
    upstash.intercept = async (request, forward) => {
      const isIt = (await request.clone().text()).includes(`"${command}"`);
      const response = await forward(request);
      // One that was refused is no loss.
      if (!isIt || isLost || !response.ok) return response;
      isLost = true;
      await response.body?.cancel();
      throw new Error("connection reset");
    };
    try {
      return await work();
    } finally {
      upstash.intercept = null;
      assert.ok(isLost);
    }
  }
});
