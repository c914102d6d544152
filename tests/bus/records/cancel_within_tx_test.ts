import assert from "node:assert/strict";
import { describe, it } from "node:test";
import pg from "pg";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import { createBus } from "../../../mod.ts";
import { fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import {
  connect,
  dropSchema,
  freshSchema,
  NO_POSTGRES,
  postgresUrl,
} from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";
import { storeWithoutTransactions } from "../../support/without_transactions.ts";
import type { Store } from "../../../core/ports/store.ts";

const url = await postgresUrl();
const key = { id: "m", group: "" };
const DELAYED = { id: "m", delayMs: 60_000 };

describeOnEveryStore("bus.cancel within a tx", (open) => {
  async function withBus(test: (parts: ReturnType<typeof fixture>) => Promise<void>) {
    const { store, close } = await open();
    const parts = fixture([], { store: store as Store<Tx>, transport: new FakeTransport() });
    try {
      await parts.bus.publish(Placed, { n: 1 }, DELAYED);
      await test(parts);
    } finally {
      await close();
    }
  }

  it("takes effect when the transaction commits", () =>
    withBus(async ({ bus, store, observed }) => {
      await bus.transaction(async (tx) => {
        assert.equal(await bus.cancel("m", { tx }), "cancelled");
        assert.equal(await bus.cancel("m", { tx }), "cancelled");
      });
      assert.equal((await store.find("outbox", key))?.state, "cancelled");
      assert.equal(observed.all("changed").length, 0);
      await bus.publish(Placed, { n: 2 }, { ...DELAYED, id: "n" });
      await bus.cancel("n");
      assert.deepEqual(observed.all("changed").map(({ id }) => id), ["n"]);
    }));

  it("takes none when it rolls back", () =>
    withBus(async ({ bus, store }) => {
      const rolledBack = bus.transaction(async (tx) => {
        assert.equal(await bus.cancel("m", { tx }), "cancelled");
        throw new Error("the order stays");
      });
      await assert.rejects(rolledBack, /the order stays/);
      assert.equal((await store.find("outbox", key))?.state, "scheduled");
    }));

  it("is too late once a worker has claimed the message, and not found of one that is not there", () =>
    withBus(async ({ bus, store, clock }) => {
      const dueMs = clock.now() + DELAYED.delayMs;
      const times = { nowMs: dueMs, leaseUntilMs: dueMs + 60_000 };
      await store.claim({ box: "outbox", limit: 1, ...times, kind: "ready" });
      await bus.transaction(async (tx) => {
        assert.equal(await bus.cancel("m", { tx }), "too_late");
        await assert.rejects(bus.cancel("n", { tx }), { code: "not_found" });
      });
    }));
}, "with transactions");

describe("bus.cancel within a tx of node-postgres", {
  skip: url === null ? skipFor(NO_POSTGRES) : false,
}, () => {
  it("joins one that has begun, and refuses a client without BEGIN", async () => {
    const sql = connect(url as string, { max: 2 });
    const schema = freshSchema();
    const store = postgresStore(sql, { schema });
    const bus = createBus({ store, transport: new FakeTransport() });
    const client = new pg.Client({ connectionString: url as string });
    await client.connect();
    try {
      await bus.publish(Placed, { n: 1 }, DELAYED);
      await assert.rejects(bus.cancel("m", { tx: client }), { code: "no_transaction" });
      assert.equal((await store.find("outbox", key))?.state, "scheduled");
      for (const [end, state] of [["rollback", "scheduled"], ["commit", "cancelled"]]) {
        await client.query("begin");
        assert.equal(await bus.cancel("m", { tx: client }), "cancelled");
        await client.query(end!);
        assert.equal((await store.find("outbox", key))?.state, state);
      }
    } finally {
      await client.end();
      await dropSchema(sql, schema);
      await sql.end();
    }
  });
});

describe("bus.cancel within a tx of a store that has none", () => {
  it("is refused", async () => {
    const { bus } = fixture([], {
      store: storeWithoutTransactions() as Store<Tx>,
      transport: new FakeTransport(),
    });
    await bus.publish(Placed, { n: 1 }, DELAYED);
    await assert.rejects(bus.cancel("m", { tx: {} as Tx }), { code: "unsupported" });
  });
});
