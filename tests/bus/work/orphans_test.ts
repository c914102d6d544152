import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import type { Store } from "../../../core/ports/store.ts";
import { createApp } from "../../../edge/mod.ts";
import { type BusOptions, subscribe } from "../../../mod.ts";
import { arriving, fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { pushed } from "../../support/pushed.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const AFTER_MS = 5 * 60_000;
const HOUR_MS = 60 * 60_000;
const MOVE = { name: Placed.name, from: "old", to: "post" };

/** A bus whose messages group `mail` handles, and group `old`, which nobody handles. */
async function withOrphans(
  store: Store<Tx>,
  options: Partial<BusOptions<Tx>> & { clock?: never } = {},
) {
  const handled: string[] = [];
  const handle = (group: string) =>
    subscribe<typeof Placed, Tx>(
      Placed,
      { group },
      ({ n }) => void handled.push(`${group} ${n}`),
    );
  const parts = fixture([handle("mail")], {
    store,
    sharedStore: { groups: { [Placed.name]: ["old"] } },
    ...options,
  });
  for (const n of [1, 2, 3]) await parts.bus.publish(Placed, { n }, { id: `m${n}` });
  // On a store without transactions, the messages go through the outbox.
  await parts.bus.tick();
  await parts.bus.tick();
  return { ...parts, handled, handle };
}

describeOnEveryStore("messages that nobody handles", (open) => {
  const on = async (
    test: (parts: Awaited<ReturnType<typeof withOrphans>>) => Promise<void>,
    options?: Parameters<typeof withOrphans>[1],
  ) => {
    const { store, close } = await open();
    try {
      await test(await withOrphans(store as Store<Tx>, options));
    } finally {
      await close();
    }
  };

  it("are found, counted and reported once they have waited for a while", () =>
    on(async ({ bus, clock, observed }) => {
      assert.deepEqual(await bus.orphans(), []);
      const sinceMs = clock.now();
      clock.advance(AFTER_MS + 1_000);
      const expected = { name: Placed.name, group: "old", count: 3, sinceMs };
      assert.deepEqual(await bus.orphans(), [expected]);
      await bus.orphans();
      assert.deepEqual(observed.all("orphaned"), [{ kind: "orphaned", ...expected }]);
      const { ready, orphans } = await bus.health();
      assert.deepEqual([ready, orphans], [true, [expected]]);
      bus.subscribe(Placed, { group: "old" }, () => {});
      assert.deepEqual(await bus.orphans(), []);
    }));

  it("are none while a worker elsewhere has claimed some of them", () =>
    on(async ({ bus, clock, store }) => {
      clock.advance(AFTER_MS + 1_000);
      const nowMs = clock.now();
      const times = { nowMs, leaseUntilMs: nowMs + 60_000 };
      const claim = { box: "inbox", groups: [{ group: "old" }], limit: 1, kind: "ready" } as const;
      assert.equal((await store.claim({ ...claim, ...times })).length, 1);
      assert.deepEqual(await bus.orphans(), []);
      clock.advance(60_001);
      assert.equal((await bus.orphans())[0]?.count, 3);
    }));

  it("are handled once by the group that they are moved to", () =>
    on(async ({ bus, store, clock, handled, handle }) => {
      bus.subscribe(Placed, { group: "post" }, handle("post").handle as () => void);
      assert.deepEqual(await bus.moveToGroup({ ...MOVE, limit: 2 }), { moved: 2, left: 0 });
      assert.deepEqual(await bus.moveToGroup(MOVE), { moved: 1, left: 0 });
      assert.deepEqual(await bus.moveToGroup(MOVE), { moved: 0, left: 0 });
      await bus.tick();
      const own = handled.filter((each) => each.startsWith("post"));
      assert.deepEqual(own.sort(), ["post 1", "post 2", "post 3"]);
      const old = await store.find("inbox", { id: "m1", group: "old" });
      assert.deepEqual([old?.state, old?.reason], ["cancelled", `Moved to group "post"`]);
      clock.advance(AFTER_MS + 1_000);
      assert.deepEqual(await bus.orphans(), []);
    }));

  it("are not handled again by a group that had them already", () =>
    on(async ({ bus, handled }) => {
      const before = [...handled];
      assert.deepEqual(await bus.moveToGroup({ ...MOVE, to: "mail" }), { moved: 3, left: 0 });
      await bus.tick();
      assert.deepEqual(handled, before);
    }));

  it("are not handled again by a group whose records of them were pruned", () =>
    on(async ({ bus, clock, handled, store }) => {
      const before = [...handled];
      clock.advance(2 * 60 * 60_000);
      await bus.tick();
      assert.equal(await store.find("inbox", { id: "m1", group: "mail" }), null);
      const { moved, left } = await bus.moveToGroup({ ...MOVE, to: "mail" });
      assert.equal(moved + left, 3);
      await bus.tick();
      assert.deepEqual(handled, before);
    }, { expiry: { succeededMs: 60_000 }, dedupMs: 24 * 60 * 60_000 }));

  it("stay where they are while a worker has claimed them", () =>
    on(async ({ bus, clock, store }) => {
      const nowMs = clock.now();
      const times = { nowMs, leaseUntilMs: nowMs + 60_000 };
      await store.claim({
        box: "inbox",
        groups: [{ group: "old" }],
        limit: 1,
        kind: "ready",
        ...times,
      });
      assert.deepEqual(await bus.moveToGroup(MOVE), { moved: 2, left: 1 });
    }));

  it("keep the time for which they wait when they are moved", () =>
    on(async ({ bus, clock, store }) => {
      await addLater(store, clock.now());
      assert.deepEqual(await bus.moveToGroup(MOVE), { moved: 4, left: 0 });
      const moved = await store.find("inbox", { id: "later", group: "post" });
      assert.deepEqual([moved?.state, moved?.dueAtMs], ["scheduled", clock.now() + HOUR_MS]);
    }));

  it("are not taken from a worker that claims them after they were listed", async () => {
    const { store, peer, close } = await open();
    try {
      const wrapping = wrapped(store);
      const { bus, clock } = await withOrphans(wrapping.store as Store<Tx>);
      assert.deepEqual(await bus.moveToGroup(MOVE), { moved: 3, left: 0 });
      await addLater(peer, clock.now());
      const key = { id: "later", group: "old" };
      const other = fixture([], { store: peer as Store<Tx>, clock }).bus;
      const leaseUntilMs = clock.now() + 60_000;
      wrapping.around = async (method, call) => {
        const result = await call();
        if (method !== "list") return result;
        await other.sendNow({ box: "inbox", ...key });
        const times = { nowMs: clock.now(), leaseUntilMs };
        const claim = { box: "inbox", limit: 1, key, kind: "ready", ...times } as const;
        assert.equal((await peer.claim(claim)).length, 1);
        return result;
      };
      assert.deepEqual(await bus.moveToGroup(MOVE), { moved: 0, left: 1 });
      const kept = await peer.find("inbox", key);
      assert.deepEqual([kept?.state, kept?.leaseUntilMs], ["scheduled", leaseUntilMs]);
      assert.equal(await peer.find("inbox", { ...key, group: "post" }), null);
    } finally {
      await close();
    }
  });
});

/** Adds a message of group `old` that is due in an hour. */
async function addLater(store: Store, nowMs: number): Promise<void> {
  const record = newRecord(arriving("later"), { group: "old", dueAtMs: nowMs + HOUR_MS });
  await store.add("inbox", [record], nowMs);
}

describe("moving messages to another group", () => {
  it("can be repeated when the process died in the middle: each is handled once", async () => {
    const wrapping = wrapped(memoryStore());
    const { bus, clock, handled, handle } = await withOrphans(wrapping.store as Store<Tx>);
    bus.subscribe(Placed, { group: "post" }, handle("post").handle as () => void);
    let settles = 0;
    wrapping.around = async (method, call) => {
      if (method === "settle" && ++settles === 2) throw new Error("killed");
      return await call();
    };
    await assert.rejects(bus.moveToGroup(MOVE), /killed/);
    wrapping.around = async (_method, call) => await call();
    await bus.tick();
    clock.advance(60_001);
    assert.deepEqual(await bus.moveToGroup(MOVE), { moved: 2, left: 0 });
    await bus.tick();
    const own = handled.filter((each) => each.startsWith("post"));
    assert.deepEqual(own.sort(), ["post 1", "post 2", "post 3"]);
  });

  it("refuses what is no move", async () => {
    const { bus } = fixture();
    for (
      const wrong of [{ to: "old" }, { from: "a b" }, { limit: 0 }, { limit: 1_001 }, { to: 7 }]
    ) {
      await assert.rejects(bus.moveToGroup({ ...MOVE, ...wrong as object }), {
        code: "invalid_option",
      });
    }
    await assert.rejects(bus.moveToGroup({ ...MOVE, name: "*" }), { code: "invalid_name" });
  });
});

describe("a running bus", () => {
  it("reports and logs messages that nobody handles", async () => {
    const lines: string[] = [];
    const logger = { error: () => {}, warn: (text: string) => void lines.push(text) };
    const { bus, clock, observed } = await withOrphans(memoryStore(), { logger });
    await bus.start();
    await clock.awaits(AFTER_MS);
    clock.advance(AFTER_MS);
    await observed.until("orphaned", { group: "old" });
    assert.match(
      lines[0]!,
      /^Atlast: 3 or more of "order\.placed" wait for group "old" since 2025/,
    );
    await bus.stop();
  });
});

describe("the answer of /ready", () => {
  it("has no names and groups of messages, as anyone may request it", async () => {
    const { bus, clock } = await withOrphans(memoryStore());
    clock.advance(AFTER_MS + 1_000);
    assert.equal((await bus.health()).orphans?.length, 1);
    const response = await createApp(bus, { verify: pushed }).request("/ready");
    assert.deepEqual(await response.json(), { ready: true, store: "up", running: false });
  });
});
