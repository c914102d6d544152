import assert from "node:assert/strict";
import { it } from "node:test";
import type { Store } from "../../../core/ports/store.ts";
import { pgliteStore } from "../../../adapters/pglite/mod.ts";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import { subscribe } from "../../../mod.ts";
import { fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { newPglite } from "../../support/pglite.ts";
import { connect, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withSchema } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const skip = url === null ? skipFor(NO_POSTGRES) : false;
const LIMIT = { timeout: 30_000 };
const NEVER_MS = 24 * 60 * 60_000;

/** Two buses run, one stops, and a third publishes what only a notification lets the other find. */
async function staysAwake(first: Store<Tx>, second: Store<Tx>, peer: Store<Tx>): Promise<void> {
  const buses = [first, second].map((store, i) =>
    fixture([subscribe(Placed, { group: `g-${i}` }, () => {})], { store, pollMs: NEVER_MS })
  );
  const publisher = fixture([], { store: peer, transport: new FakeTransport() });
  const [one, other] = buses as [(typeof buses)[number], (typeof buses)[number]];
  await one.bus.start();
  await other.bus.start();
  await one.bus.stop();
  await publisher.bus.publish(Placed, { n: 1 });
  await other.observed.until("succeeded", { box: "inbox" });
  assert.equal((await other.bus.health()).ready, true);
  await Promise.all([other.bus.stop(), publisher.bus.stop()]);
}

it("a bus on one Postgres store is notified after another bus on it has stopped", {
  skip,
  ...LIMIT,
}, () =>
  withSchema(async (sql, schema) => {
    const peer = connect(url as string);
    const store = postgresStore(sql, { schema }) as unknown as Store<Tx>;
    await staysAwake(store, store, postgresStore(peer, { schema }) as unknown as Store<Tx>);
    await peer.end();
  }));

it("a bus is notified after that of another Postgres store on its pool has stopped", {
  skip,
  ...LIMIT,
}, () =>
  withSchema(async (sql, schema) => {
    const peer = connect(url as string);
    const [first, second] = [sql, sql].map((each) =>
      postgresStore(each, { schema }) as unknown as Store<Tx>
    ) as [Store<Tx>, Store<Tx>];
    await staysAwake(first, second, postgresStore(peer, { schema }) as unknown as Store<Tx>);
    await peer.end();
  }));

it("a bus on one PGlite store is notified after another bus on it has stopped", LIMIT, async () => {
  const db = await newPglite();
  const store = pgliteStore(db) as unknown as Store<Tx>;
  await staysAwake(store, store, pgliteStore(db) as unknown as Store<Tx>);
  await db.close();
});
