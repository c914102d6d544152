/**
 * A bus whose server crashes and starts again.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { subscribe } from "../../../mod.ts";
import { hasPostgres, startPostgres } from "../../../tools/postgres_server.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { watchedBus } from "../../support/database_story.ts";
import { DRIVERS } from "../../support/drivers.ts";
import { Gate } from "../../support/gate.ts";
import { skipFor } from "../../support/skip.ts";

/** No wake-up in a test comes from looking by itself. */
const NEVER_MS = 24 * 60 * 60_000;

describe("a Postgres server that crashes and starts again", {
  skip: !hasPostgres() && skipFor("no Postgres to start"),
}, () => {
  it("ends what is under way, and buses of each driver go on", { timeout: 60_000 }, async () => {
    const server = await startPostgres();
    try {
      const clients = DRIVERS.flatMap(({ name, connect }) =>
        ["running", "publishing"].map((role) => ({ name, role, client: connect(server.url) }))
      );
      const rooms = [];
      for (const { name } of DRIVERS) {
        const [running, publishing] = clients.filter((each) => each.name === name)
          .map(({ client }) => client);
        assert.ok(running && publishing);
        const schema = `of_${name.replace(".", "_")}`;
        const store = running.store({ schema });
        await store.ready();
        await running.run(`create table ${schema}.business (n int)`);
        const inWork = new Gate();
        const subscriber = subscribe<typeof Placed, unknown>(
          Placed,
          { group: "g" },
          async ({ n }, { tx, attempt }) => {
            await running.run(`insert into ${schema}.business values ($1)`, [n], tx);
            if (n > 1 || attempt > 1) return;
            await inWork.pass();
            await running.run("select pg_sleep(60)", [], tx);
          },
        );
        const { bus, observed } = watchedBus(store, [subscriber], { pollMs: NEVER_MS });
        await bus.start();
        await bus.publish(Placed, { n: 1 }, { id: "before" });
        await inWork.reached();
        inWork.open();
        const { bus: other } = watchedBus(publishing.store({ schema }), [subscriber]);
        rooms.push({ running, schema, bus, observed, other });
      }
      await server.crash();
      for (const { running, schema, bus, observed, other } of rooms) {
        for (let isStored = false; !isStored;) {
          isStored = await other.publish(Placed, { n: 2 }, { id: "after" })
            .then(() => true, () => false);
        }
        // Only a notification tells the running bus of it: it listens again.
        await observed.until("succeeded", { box: "inbox", id: "after" });
        // What was under way is rolled back, and handled again once its lease is over.
        const rows = await running.run(`select n from ${schema}.business where n > 1`);
        assert.deepEqual(rows.map(({ n }) => n), [2]);
        await Promise.all([bus.stop({ drainMs: 0 }), other.stop()]);
      }
      await Promise.all(clients.map(({ client }) => client.end()));
    } finally {
      server.stop();
    }
  });
});
