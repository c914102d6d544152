import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newRecord } from "../../../bus/records/new_record.ts";
import type { Store } from "../../../core/ports/store.ts";
import { subscribe } from "../../../mod.ts";
import { arriving, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { Gate } from "../../support/gate.ts";
import { NOW_MS } from "../../support/manual_clock.ts";

const LIMIT = { timeout: 30_000 };
const GRACE_MS = 30_000;
/** More messages than one instance claims at once. */
const MANY = 250;

/** Records of the inbox that a third process stored. */
function records(name: string, count: number) {
  return Array.from(
    { length: count },
    (_, i) =>
      newRecord(arriving(`${name}-${i}`, { name, body: `{"n":${i},"ok":true}` }), { group: "g" }),
  );
}

function old(handled: string[] = []) {
  return subscribe(Placed, { group: "g" }, (_body, { message }) => void handled.push(message.id));
}

describeOnEveryStore("bus: two versions of a worker in one group", (open) => {
  it("the one that does not know a name leaves its messages to the other", async () => {
    const { store, peer, close } = await open();
    try {
      const before = fixture([old()], { store: store as Store<Tx>, pollMs: 10 });
      const { clock } = before;
      await store.add("inbox", records(Marked.name, 40), NOW_MS);
      await before.bus.start();
      await store.add("inbox", records(Placed.name, 3), NOW_MS);
      await before.bus.deliver([arriving("wakes")]);
      await before.observed.until("succeeded", { id: "wakes" });
      for (let i = 0; i < 3; i++) {
        clock.advance(1_000);
        await before.bus.deliver([arriving(`wakes-${i}`)]);
        await before.observed.until("succeeded", { id: `wakes-${i}` });
      }
      const taken = async () => {
        const all = await store.list({ box: "inbox", name: Marked.name, limit: 100 });
        return all.filter(({ epoch, reason }) => epoch > 0 || reason !== null).length;
      };
      assert.equal(await taken(), 0);
      const after = fixture([old(), subscribe(Marked, { group: "g" }, () => {})], {
        store: peer as Store<Tx>,
        clock,
      });
      await after.bus.start();
      await after.observed.until("succeeded", { name: Marked.name }, 40);
      assert.equal(before.observed.all("unroutable").length, 0);
      await Promise.all([before.bus.stop(), after.bus.stop()]);
    } finally {
      await close();
    }
  });

  it("a subscriber that is added to a running bus wakes it", async () => {
    const { store, close } = await open();
    try {
      const { bus, observed, clock } = fixture([old()], { store: store as Store<Tx>, pollMs: 1e6 });
      await store.add("inbox", records(Marked.name, 5), NOW_MS);
      await bus.start();
      await bus.deliver([arriving("m")]);
      await observed.until("succeeded", { id: "m" });
      bus.subscribe(Marked, { group: "g" }, () => {});
      await observed.until("succeeded", { name: Marked.name }, 5);
      assert.equal(clock.now(), NOW_MS);
      await bus.stop();
    } finally {
      await close();
    }
  });

  it(
    "a subscriber that is added gets all its messages beside a worker without it",
    LIMIT,
    async () => {
      const { store, peer, close } = await open();
      const gate = new Gate();
      const options = { concurrency: 5, pollMs: 1e6 };
      const first = fixture([old()], { store: store as Store<Tx>, ...options });
      const { clock } = first;
      const second = fixture([old()], { store: peer as Store<Tx>, clock, ...options });
      try {
        await store.add("inbox", records(Marked.name, MANY), NOW_MS);
        for (const { bus } of [first, second]) await bus.start();
        first.bus.subscribe(Marked, { group: "g", transaction: false }, () => gate.pass());
        await gate.reached(5);
        // The other one looks for work while some of them wait.
        await second.bus.deliver([arriving("wakes")]);
        await second.observed.until("succeeded", { id: "wakes" });
        assert.equal(second.observed.all("unroutable").length, 0);
        gate.open();
        await first.observed.until("succeeded", { name: Marked.name }, MANY);
        assert.equal(clock.now(), NOW_MS);
      } finally {
        gate.open();
        await Promise.all([first.bus.stop(), second.bus.stop()]);
        await close();
      }
    },
  );

  it("a name that no instance knows shows its reason after a while, and fails in the end", async () => {
    const { store, close } = await open();
    try {
      const { bus, observed, clock } = fixture([old()], {
        store: store as Store<Tx>,
        unroutableForMs: 3 * GRACE_MS,
      });
      await store.add("inbox", records(Marked.name, 2), NOW_MS);
      const [id, group] = [`${Marked.name}-0`, "g"];
      assert.equal((await bus.tick()).nextDueAtMs, NOW_MS + GRACE_MS);
      clock.advance(GRACE_MS);
      await bus.tick();
      const record = await store.find("inbox", { id, group });
      assert.equal(record?.reason, `No subscriber of group "g" here takes "${Marked.name}"`);
      assert.equal(observed.all("unroutable").length, 2);
      for (let tries = 0; observed.all("failed").length < 2; tries++) {
        assert.ok(tries < 4, "it waits longer than its time");
        clock.advance(GRACE_MS);
        await bus.tick();
      }
      assert.equal((await store.find("inbox", { id, group }))?.state, "failed");
      await bus.stop();
    } finally {
      await close();
    }
  });
});

describe("bus: names that nobody takes", () => {
  it("show their reason on a running bus too", async () => {
    const { bus, store, clock, observed } = fixture([old()]);
    await store.add("inbox", records(Marked.name, 2), NOW_MS);
    await bus.start();
    await clock.awaits(1, GRACE_MS);
    assert.equal(observed.all("unroutable").length, 0);
    clock.advance(GRACE_MS);
    await observed.until("unroutable", {}, 2);
    await bus.stop();
  });

  it("are not put off while another worker has one of them claimed", async () => {
    const { bus, store, clock } = fixture([old()]);
    await store.add("inbox", records(Marked.name, 3), NOW_MS);
    const leaseUntilMs = NOW_MS + 10 * GRACE_MS;
    const groups = [{ group: "g", limit: 1 }];
    const times = { nowMs: NOW_MS, leaseUntilMs };
    await store.claim({ box: "inbox", kind: "ready", limit: 1, groups, ...times });
    clock.advance(2 * GRACE_MS);
    await bus.tick();
    const all = await store.list({ box: "inbox", limit: 10 });
    assert.deepEqual(all.map(({ reason }) => reason), [null, null, null]);
  });
});
