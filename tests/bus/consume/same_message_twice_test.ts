import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryFence } from "../../../adapters/memory/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { type AtlastError, HEADER, type PublishOptions, subscribe } from "../../../mod.ts";
import { fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore, type OpenStore } from "../../support/every_store.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { NOW_MS } from "../../support/manual_clock.ts";

const Failed = { name: "order.failed" };

async function setup(open: OpenStore) {
  const { store, close } = await open();
  const transport = new FakeTransport();
  const fence = memoryFence();
  const parts = fixture([], { store: store as Store<Tx>, transport, fence });
  return { ...parts, transport, close };
}

type Own = Omit<PublishOptions<Tx>, "tx" | "id">;

describeOnEveryStore("the same message, published again", (open, { hasTransactions }) => {
  const ways = hasTransactions
    ? ["alone", "among many", "in a transaction"]
    : ["alone", "among many"];

  async function publish(
    { bus }: Awaited<ReturnType<typeof setup>>,
    way: string,
    id: string,
    own: Own = {},
    body = { n: 1 },
  ) {
    const options = own as object;
    if (way === "alone") return await bus.publish(Placed, body, { ...options, id });
    if (way === "in a transaction") {
      return await bus.transaction((tx) => bus.publish(Placed, body, { ...options, id, tx }));
    }
    const ids = [`other than ${id} ${Math.random()}`, id];
    const [, receipt] = await bus.publishMany(Placed, [body, body], { ...options, ids });
    return receipt;
  }

  for (const way of ways) {
    it(`is a duplicate that says where the first one stands, whatever the delay, ${way}`, async () => {
      const room = await setup(open);
      const { bus, clock, transport, close } = room;
      const own = { callback: Marked, failureCallback: Failed as never, headers: { note: "1" } };
      await publish(room, way, "a", { ...own, delayMs: 1_000 });
      const first = { id: "a", duplicate: true, dueAtMs: NOW_MS + 1_000 };
      clock.advance(10);
      const again = await publish(room, way, "a", { ...own, delayMs: 990, headers: { note: "2" } });
      assert.deepEqual(again, { ...first, state: "scheduled" });
      clock.advance(990);
      await bus.tick();
      assert.deepEqual(transport.ids.filter((id) => id === "a"), ["a"]);
      const sent = await publish(room, way, "a", own);
      assert.equal(sent?.state, "succeeded");
      await close();
    });

    it(`is a conflict with another body, callback or destination, ${way}`, async () => {
      const room = await setup(open);
      await publish(room, way, "a", { callback: Marked });
      const others: [Own, { n: number }][] = [
        [{ callback: Marked }, { n: 2 }],
        [{}, { n: 1 }],
        [{ callback: { ...Marked, name: "order.noted" } }, { n: 1 }],
        [{ callback: Marked, failureCallback: Failed as never }, { n: 1 }],
        [{ callback: Marked, destination: "https://a.example/" }, { n: 1 }],
      ];
      for (const [own, body] of others) {
        await assert.rejects(publish(room, way, "a", own, body), { code: "id_conflict" });
      }
      assert.equal((await publish(room, way, "a", { callback: Marked }))?.duplicate, true);
      await room.close();
    });

    it(`is a conflict with one that was cancelled or is a half message, ${way}`, async () => {
      const room = await setup(open);
      const { bus, store, close } = room;
      await publish(room, way, "cancelled", { delayMs: 1_000 });
      await bus.cancel("cancelled");
      const half = await bus.prepare(Placed, { n: 1 }, { id: "half" });
      const confirmed = await bus.prepare(Placed, { n: 1 }, { id: "confirmed" });
      await bus.halfMessages.confirm(confirmed.id);
      await bus.prepare(Placed, { n: 1 }, { id: "undone" });
      await bus.halfMessages.cancel("undone");
      for (const id of ["cancelled", half.id, confirmed.id, "undone"]) {
        await assert.rejects(publish(room, way, id), { code: "id_conflict" });
      }
      assert.equal((await store.find("outbox", { id: "half", group: "" }))?.state, "prepared");
      await close();
    });
  }

  it("is the same JSON value, however it is written", async () => {
    const { bus, close } = await setup(open);
    const raw = { name: Placed.name, id: "a" };
    await bus.publishRaw({ ...raw, body: '{"n":1,"m":[true]}' });
    const again = await bus.publishRaw({ ...raw, body: ' { "m": [ true ], "n": 1.0 }' });
    assert.equal(again.duplicate, true);
    const other = bus.publishRaw({ ...raw, body: '{"n":1,"m":[false]}' });
    await assert.rejects(other, { code: "id_conflict" });
    await close();
  });

  it("is the same one with the headers passed on of a half message, or of one sent after a failure", async () => {
    const room = await setup(open);
    const passedOn = { [HEADER.participant]: "orders", "Atlast-After-Failure": "true", note: "1" };
    await publish(room, "alone", "a", { headers: passedOn });
    const again = await publish(room, "alone", "a", { headers: passedOn });
    assert.deepEqual([again?.duplicate, again?.state], [true, "scheduled"]);
    const record = await room.store.find("outbox", { id: "a", group: "" });
    assert.deepEqual(record?.message.headers, { note: "1" });
    await room.bus.stop();
    await room.close();
  });

  it("is one message and its duplicates where many publish it at once, in any order", async () => {
    const { store, peer, close } = await open();
    const [one, other] = [store, peer].map((each) =>
      fixture([], { store: each as Store<Tx>, transport: new FakeTransport() }).bus
    ) as [ReturnType<typeof fixture>["bus"], ReturnType<typeof fixture>["bus"]];
    const two = [{ n: 1 }, { n: 1 }];
    for (let round = 0; round < 10; round++) {
      const ids = [`a-${round}`, `b-${round}`] as const;
      const receipts = await Promise.all([
        one.publish(Placed, { n: 1 }, { id: ids[0] }).then((receipt) => [receipt]),
        one.publishMany(Placed, two, { ids }),
        other.publishMany(Placed, two, { ids: ids.toReversed() }),
        other.publish(Placed, { n: 1 }, { id: ids[1] }).then((receipt) => [receipt]),
      ]);
      const added = receipts.flat().filter(({ duplicate }) => !duplicate);
      assert.deepEqual(added.map(({ id }) => id).sort(), ids);
    }
    await Promise.all([one.stop(), other.stop()]);
    await close();
  });

  it("names nothing of the other message in a conflict", async () => {
    const { bus, close } = await setup(open);
    await bus.publishRaw({ name: "secret.name", id: "a", body: '"secret"' });
    const publishes = [
      () => bus.publish(Placed, { n: 1 }, { id: "a" }),
      () => bus.prepare(Placed, { n: 1 }, { id: "a" }),
    ];
    for (const publish of publishes) {
      await assert.rejects(publish, (error: AtlastError) => {
        assert.equal(error.code, "id_conflict");
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    }
    await close();
  });

  it("prepare takes its own half message again, and no message that was published", async () => {
    const { bus, close } = await setup(open);
    const prepare = (id: string, options = {}) => bus.prepare(Placed, { n: 1 }, { id, ...options });
    await prepare("half", { callback: Marked });
    assert.equal((await prepare("half", { callback: Marked })).state, "prepared");
    await assert.rejects(prepare("half"), { code: "id_conflict" });
    await bus.halfMessages.confirm("half");
    assert.equal((await prepare("half", { callback: Marked, delayMs: 5 })).state, "scheduled");
    await bus.publish(Placed, { n: 1 }, { id: "published" });
    await bus.publish(Placed, { n: 1 }, { id: "withdrawn", delayMs: 1_000 });
    await bus.cancel("withdrawn");
    for (const id of ["published", "withdrawn"]) {
      await assert.rejects(prepare(id), { code: "id_conflict" });
    }
    await close();
  });
});

describe("the same message, published again, with its subscribers in the same store", () => {
  function shared() {
    const { store, ...rest } = fixture([
      subscribe<typeof Placed, Tx>(Placed, { group: "mail" }, () => {}),
      subscribe<typeof Placed, Tx>(Placed, { group: "stock" }, ({ n }) => {
        if (n < 0) throw new Error("no");
      }),
    ], { sharedStore: true });
    return { store, ...rest };
  }

  it("says where the least done of its records stands", async () => {
    const { bus } = shared();
    await bus.publish(Placed, { n: -1 }, { id: "a" });
    const first = { id: "a", duplicate: true, dueAtMs: NOW_MS };
    const again = () => bus.publish(Placed, { n: -1 }, { id: "a" });
    assert.deepEqual(await again(), { ...first, state: "scheduled" });
    await bus.tick();
    const receipt = await again();
    assert.deepEqual([receipt.duplicate, receipt.state], [true, "scheduled"]);
  });

  it("is one message, whether the first waits in the outbox or not", async () => {
    const { bus, store } = shared();
    await bus.publish(Placed, { n: 1 }, { id: "late", delayMs: 1_000 });
    assert.equal((await bus.publish(Placed, { n: 1 }, { id: "late" })).duplicate, true);
    await assert.rejects(bus.publish(Placed, { n: 2 }, { id: "late" }), { code: "id_conflict" });
    await bus.cancel("late");
    await assert.rejects(bus.publish(Placed, { n: 1 }, { id: "late" }), { code: "id_conflict" });
    await bus.publish(Placed, { n: 1 }, { id: "now" });
    const delayed = await bus.publish(Placed, { n: 1 }, { id: "now", delayMs: 1_000 });
    assert.equal(delayed.duplicate, true);
    assert.equal(await store.find("outbox", { id: "now", group: "" }), null);
  });

  it("another one that comes to the inbox from the outbox fails there, and is seen", async () => {
    const { bus, store, clock, observed } = shared();
    await bus.publish(Placed, { n: 1 }, { id: "a", delayMs: 1_000 });
    const [first] = await store.list({ box: "outbox", limit: 1 });
    assert.ok(first !== undefined);
    const other = { ...first, message: { ...first.message, body: '{"n":2}' }, group: "mail" };
    await store.add("inbox", [other], NOW_MS);
    clock.advance(1_000);
    await bus.tick();
    assert.equal((await store.find("outbox", { id: "a", group: "" }))?.state, "failed");
    assert.equal(observed.all("failed", { box: "outbox" }).length, 1);
    assert.equal((await store.find("inbox", { id: "a", group: "stock" }))?.state, "succeeded");
  });
});
