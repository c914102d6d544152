import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import { LeftNames } from "../../../bus/dispatch/left_names.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import { HEADER } from "../../../core/message/headers.ts";
import type { Store } from "../../../core/ports/store.ts";
import { type BusOptions, subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { FakeTransport, SENT } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { type ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withSchema } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);
const PAUSE_MS = 30_000;
const COUNT = 40;

/** A bus whose transport has a route for all names but these. Its clock stands still. */
function instance(
  lacks: readonly string[],
  store: Store,
  options: Partial<BusOptions<Tx>> & { readonly clock?: ManualClock } = {},
  subscribers: Parameters<typeof fixture>[0] = [],
) {
  const transport = new FakeTransport();
  const own = fixture(subscribers, { ...options, transport, store: store as Store<Tx> });
  for (const name of lacks) transport.unknown.add(name);
  return { ...own, transport };
}

/** Records of the outbox that a third process stored. */
function records(prefix: string, count = COUNT) {
  return Array.from(
    { length: count },
    (_, i) => newRecord(arriving(`${prefix}-${i}`, { name: Marked.name }), {}),
  );
}

describeOnEveryStore("bus: two versions that send from one outbox", (open) => {
  it("the one without a route leaves the messages to the other, due at once", async () => {
    const { store, peer, close } = await open();
    try {
      const before = instance([Marked.name], store);
      const after = instance([], peer, { clock: before.clock });
      await before.bus.start();
      await store.add("outbox", [...records("a"), newRecord(arriving("own"), {})], NOW_MS);
      await before.bus.tick();
      assert.deepEqual(before.transport.ids, ["own"]);
      assert.equal(before.observed.all("released").length, COUNT);
      await after.bus.start();
      await after.bus.tick();
      assert.equal(after.transport.messages.length, COUNT);
      // From now on it does not claim them.
      await store.add("outbox", records("b"), NOW_MS);
      await before.bus.tick();
      const left = await store.list({ box: "outbox", states: ["scheduled"], limit: 100 });
      assert.deepEqual(
        new Set(left.map(({ epoch, reason }) => `${epoch} ${reason}`)),
        new Set(["0 null"]),
      );
      await after.bus.tick();
      assert.equal(after.transport.messages.length, 2 * COUNT);
      assert.equal(before.observed.all("released").length, COUNT);
      assert.equal(before.observed.all("unroutable").length, 0);
      await Promise.all([before.bus.stop(), after.bus.stop()]);
    } finally {
      await close();
    }
  });

  it("a message that nobody takes shows its reason after a while, and is sent by a route that appears", async () => {
    const { store, close } = await open();
    try {
      const { bus, clock, observed, transport } = instance([Marked.name], store);
      await store.add("outbox", records("m", 3), NOW_MS);
      await bus.start();
      await observed.until("released", {}, 3);
      await clock.awaits(1, PAUSE_MS);
      clock.advance(PAUSE_MS - 1_000);
      await bus.tick();
      assert.equal(observed.all("unroutable").length, 0);
      clock.advance(1_000);
      await observed.until("unroutable", {}, 3);
      const record = await store.find("outbox", { id: "m-0", group: "" });
      assert.equal(record?.reason, `No route here takes "${Marked.name}"`);
      assert.equal(record?.dueAtMs, NOW_MS + 2 * PAUSE_MS);
      transport.unknown.clear();
      clock.advance(PAUSE_MS);
      await bus.tick();
      assert.equal(transport.messages.length, 3);
      await bus.stop();
    } finally {
      await close();
    }
  });

  it("a process for each tick finds out too that nobody takes a message", async () => {
    const { store, close } = await open();
    try {
      await store.add("outbox", records("m", 2), NOW_MS);
      const ticked = async (clock?: ManualClock) => {
        const own = instance([Marked.name], store, clock === undefined ? {} : { clock });
        const { nextDueAtMs } = await own.bus.tick();
        return { ...own, nextDueAtMs };
      };
      const first = await ticked();
      assert.equal(first.nextDueAtMs, NOW_MS + PAUSE_MS);
      first.clock.advance(PAUSE_MS - 1_000);
      assert.equal((await ticked(first.clock)).observed.all("unroutable").length, 0);
      first.clock.advance(1_000);
      assert.equal((await ticked(first.clock)).observed.all("unroutable").length, 2);
    } finally {
      await close();
    }
  });
});

describe("bus: two versions that send from one Postgres", { skip }, () => {
  it("the other is notified of what is left to it, also of what is published meanwhile", () =>
    withSchema(async (sql, schema) => {
      const [store, peer] = [schema, schema].map((each) =>
        postgresStore(sql, { schema: each }) as unknown as Store
      ) as [Store, Store];
      const gate = new Gate();
      const answers = subscribe(Deduct, { group: "stock" }, ({ n }) => ({ n, ok: true }));
      const before = instance([Marked.name], store, { batchSize: 1 }, [answers]);
      before.transport.sender = async () => {
        await gate.pass();
        return SENT;
      };
      const after = instance([], peer);
      await Promise.all([before, after].map(({ bus }) => bus.start()));
      // Then it sleeps, and only a notification wakes it.
      await after.bus.tick();
      await store.add("outbox", records("m"), NOW_MS);
      await before.bus.tick();
      await after.observed.until("succeeded", { name: Marked.name }, COUNT);
      // It has no capacity left to take the answer itself.
      for (let n = 0; n < 4; n++) await before.bus.publish(Placed, { n });
      await gate.reached(2);
      await before.bus.deliver([
        arriving("asks", { name: Deduct.name, headers: { [HEADER.callbackName]: Marked.name } }),
      ]);
      await after.observed.until("succeeded", { name: Marked.name }, COUNT + 1);
      gate.open();
      await Promise.all([before.bus.stop(), after.bus.stop()]);
    }));
});

describe("names that are left", () => {
  const store = { hints: { untaken: () => Promise.resolve([]) } } as unknown as Store<unknown>;
  const of = (name: string, headers = {}) => ({
    message: arriving("m", { name, headers }),
    details: null,
  });
  const elsewhere = { [HEADER.destination]: "https://example.com" };

  it("are those without a route, until there is one", () => {
    const known = new Set<string>();
    const names = new LeftNames({ store, routing: { routes: (name) => known.has(name) } });
    assert.equal(names.isEmpty, true);
    assert.equal(names.leave(of("a")), true);
    assert.equal(names.leave(of("a")), true);
    assert.deepEqual([names.all(), names.has("a"), names.has("b")], [["a"], true, false]);
    known.add("a");
    assert.deepEqual([names.has("a"), names.all(), names.isEmpty], [false, [], true]);
  });

  it("are none of which some messages are sent here", () => {
    const names = new LeftNames({ store, routing: { routes: () => false } });
    assert.equal(names.leave(of("a", elsewhere)), false);
    names.sends(of("a", elsewhere));
    names.sends({ ...of("b"), details: { groups: ["g"] } });
    assert.deepEqual([names.leave(of("a")), names.leave(of("b"))], [false, false]);
    assert.equal(names.leave(of("c")), true);
    names.sends(of("d"));
    names.sends(of("c"));
    assert.deepEqual([names.all(), names.leave(of("c")), names.leave(of("d"))], [[], false, true]);
  });

  it("are none where a store cannot say that nobody takes them, or routes fails", () => {
    const lacking = { ...store, hints: {} } as Store<unknown>;
    assert.equal(
      new LeftNames({ store: lacking, routing: { routes: () => false } }).leave(of("a")),
      false,
    );
    const routes = () => {
      throw new Error("no");
    };
    assert.equal(new LeftNames({ store, routing: { routes } }).leave(of("a")), false);
  });

  it("are few, and fit into a request", () => {
    const names = new LeftNames({ store, routing: { routes: () => false } });
    for (const name of ["a b", "", "!a", 'a"', "a.*", "x".repeat(201)]) {
      assert.equal(names.leave(of(name)), false, name);
    }
    for (let i = 0; i < 200; i++) names.leave(of(`name-${i}`));
    assert.equal(names.all().length, 100);
  });
});
