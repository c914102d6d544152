/**
 * Buses of one service on one database, each on another driver.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { subscribe } from "../../../mod.ts";
import { NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { watchedBus } from "../../support/database_story.ts";
import { type DriverClient, DRIVERS } from "../../support/drivers.ts";
import { freshSchema, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
/** No wake-up in a test comes from looking by itself. */
const NEVER_MS = 24 * 60 * 60_000;

describe("Postgres with a client of each driver", {
  skip: url === null && skipFor(NO_POSTGRES),
}, () => {
  const schema = freshSchema();
  const clients: DriverClient[] = [];
  before(async () => {
    const level = "serializable";
    clients.push(...DRIVERS.map((driver) => driver.connect(url as string, { max: 2, level })));
    await Promise.all(clients.map((client) => client.store({ schema }).ready()));
  });
  after(async () => {
    await clients[0]?.run(`drop schema if exists "${schema}" cascade`);
    await Promise.all(clients.map((client) => client.end()));
  });

  it("a bus on each wakes that on the other", { timeout: 30_000 }, async () => {
    const subscriber = subscribe(Placed, { group: "g" }, () => {});
    for (const [one, other] of [clients, clients.toReversed()]) {
      assert.ok(one && other);
      const running = watchedBus(one.store({ schema }), [subscriber], { pollMs: NEVER_MS });
      const resting = watchedBus(other.store({ schema }), [subscriber]);
      await running.bus.start();
      const { id } = await resting.bus.publish(Placed, { n: 1 });
      await running.observed.until("succeeded", { box: "inbox", id });
      await Promise.all([running.bus.stop(), resting.bus.stop()]);
    }
  });

  it("the store's statements run at read committed, and the user's at the default", async () => {
    const [first] = clients;
    assert.ok(first);
    await first.run(`create table "${schema}".noted (level text)`);
    await first.run(`create function "${schema}".note() returns trigger language plpgsql as
      'begin insert into "${schema}".noted values (current_setting(''transaction_isolation''));
      return null; end'`);
    await first.run(`create trigger note after insert on "${schema}".outbox
      for each statement execute function "${schema}".note()`);
    for (const client of clients) {
      const store = client.store({ schema });
      const ids = ["alone", "in-tx"].map((name) => `${name}-${clients.indexOf(client)}`);
      await store.add("outbox", [recordOf(ids[0] as string)], NOW);
      await store.transaction((tx) => store.add("outbox", [recordOf(ids[1] as string)], NOW, tx));
      await store.close();
    }
    const noted = await first.run(`select level from "${schema}".noted`);
    assert.deepEqual(
      noted.map(({ level }) => level),
      clients.flatMap(() => ["read committed", "serializable"]),
    );
  });
});
