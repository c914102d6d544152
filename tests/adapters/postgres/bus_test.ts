import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Store } from "../../../core/ports/store.ts";
import { subscribe } from "../../../mod.ts";
import { arriving, Placed } from "../../support/bus_fixture.ts";
import { type StoryDatabase, tellStory, watchedBus } from "../../support/database_story.ts";
import { type DriverClient, DRIVERS, type TestedDriver } from "../../support/drivers.ts";
import { quiet } from "../../support/gate.ts";
import {
  connect,
  dropSchema,
  freshSchema,
  NO_POSTGRES,
  postgresUrl,
} from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const skip = url === null ? skipFor(NO_POSTGRES) : false;
/** No wake-up in a test comes from looking by itself. */
const NEVER_MS = 24 * 60 * 60_000;

interface Database extends StoryDatabase<unknown> {
  readonly client: DriverClient;
  readonly schema: string;
}

async function open(driver: TestedDriver): Promise<Database> {
  const client = driver.connect(url as string);
  const schema = freshSchema();
  const store = client.store({ schema });
  await store.ready();
  await client.run(`create table "${schema}".business (n int)`);
  return {
    client,
    schema,
    store,
    insert: async (tx, n) =>
      await client.run(`insert into "${schema}".business values ($1)`, [n], tx),
    begin: (work) => client.begin(work),
    async rows() {
      const found = await client.run(`select n from "${schema}".business order by n`);
      return found.map((row) => row["n"]);
    },
    async close() {
      await store.close();
      const sql = connect(url as string, { max: 1 });
      await dropSchema(sql, schema);
      await sql.end();
      await client.end();
    },
  };
}

/** The same database through another pool, as another process has it. */
async function withPeerOn(
  driver: TestedDriver,
  test: (database: Database, peer: Store) => Promise<void>,
): Promise<void> {
  const database = await open(driver);
  const other = driver.connect(url as string);
  const peer = other.store({ schema: database.schema });
  try {
    await test(database, peer);
  } finally {
    await peer.close();
    await other.end();
    await database.close();
  }
}

for (const driver of DRIVERS) {
  describe(`bus on Postgres through ${driver.name}`, { skip }, () => {
    const withPeer = (test: (database: Database, peer: Store) => Promise<void>) =>
      withPeerOn(driver, test);

    tellStory<unknown>(() => open(driver));

    it(
      "two pools share the work, and each message has its effect once",
      { timeout: 30_000 },
      () =>
        withPeer(async ({ store, insert, rows }, peer) => {
          const subscriber = subscribe<typeof Placed, unknown>(
            Placed,
            { group: "g" },
            ({ n }, { tx }) => insert(tx, n).then(() => {}),
          );
          const buses = [watchedBus(store, [subscriber]), watchedBus(peer, [subscriber])] as const;
          const numbers = Array.from({ length: 300 }, (_, n) => n);
          // Stored before either looks, so that both have to ask the database for their share.
          await buses[0].bus.publishMany(Placed, numbers.map((n) => ({ n })));
          await Promise.all(buses.map(({ bus }) => bus.start()));
          const handled = () =>
            buses.reduce(
              (sum, { observed }) => sum + observed.all("succeeded", { box: "inbox" }).length,
              0,
            );
          await Promise.race(
            buses.map(({ observed }) => observed.untilThat(() => handled() === numbers.length)),
          );
          await Promise.all(buses.map(({ bus }) => bus.stop()));
          assert.deepEqual(await rows(), numbers);
          for (const box of ["outbox", "inbox"] as const) {
            assert.equal((await store.count(box)).succeeded, numbers.length);
          }
        }),
    );

    it(
      "a message stored through one pool wakes the bus on another",
      { timeout: 30_000 },
      () =>
        withPeer(async ({ store }, peer) => {
          const subscriber = subscribe(Placed, { group: "g" }, () => {});
          const running = watchedBus(store, [subscriber], { pollMs: NEVER_MS });
          const resting = watchedBus(peer, [subscriber]);
          await running.bus.start();
          for (let n = 1; n <= 3; n++) {
            await resting.bus.publish(Placed, { n });
            await running.observed.until("succeeded", { box: "inbox" }, n);
          }
          await running.bus.stop();
          await resting.bus.stop();
        }),
    );

    type Run = (text: string) => PromiseLike<unknown>;
    const whenCut: Record<string, (run: Run, cut: () => Promise<unknown>) => Promise<unknown>> = {
      "in the middle of a statement": (run, cut) =>
        Promise.all([run("select pg_sleep(60)"), cut()]),
      "between two statements": (run, cut) => cut().then(() => run("select 1")),
      "before it throws": (_run, cut) =>
        cut().then(() => quiet()).then(() => Promise.reject(new Error("no"))),
      "before it ends": (_run, cut) => cut().then(() => quiet()),
    };
    for (const [when, happen] of Object.entries(whenCut)) {
      it(
        `a handler whose connection is cut ${when} is run again`,
        { timeout: 30_000 },
        () =>
          withPeer(async ({ store, client, insert, rows }) => {
            const { bus, observed } = watchedBus(store, [
              subscribe<typeof Placed, unknown>(Placed, { group: "g" }, async (_body, context) => {
                const { tx, attempt, message } = context;
                if (message.id !== "m") return;
                await insert(tx, attempt);
                if (attempt > 1) return;
                const run: Run = (text) => client.run(text, [], tx);
                const [own] = await client.run("select pg_backend_pid() as pid", [], tx);
                await happen(run, async () => {
                  await client.run("select pg_terminate_backend($1)", [own?.["pid"]]);
                });
              }),
            ]);
            await bus.start();
            await bus.deliver([arriving("m")]);
            const { attempts } = await observed.until("succeeded", { id: "m" });
            assert.equal(attempts, 2);
            assert.deepEqual(await rows(), [2]);
            // The pool is as good as before.
            await bus.deliver(Array.from({ length: 20 }, (_, i) => arriving(`after-${i}`)));
            await observed.until("succeeded", {}, 21);
            await bus.stop();
          }),
      );
    }

    it(
      "a bus all of whose connections are cut goes on",
      { timeout: 30_000 },
      () =>
        withPeer(async ({ store, schema, rows, insert }, peer) => {
          const subscriber = subscribe<typeof Placed, unknown>(
            Placed,
            { group: "g" },
            ({ n }, { tx }) => insert(tx, n).then(() => {}),
          );
          const { bus, observed } = watchedBus(store, [subscriber], { pollMs: 200 });
          await bus.start();
          await bus.publish(Placed, { n: 1 });
          await observed.until("succeeded", { box: "inbox" });
          const killer = connect(url as string, { max: 1 });
          await killer`select pg_terminate_backend(pid) from pg_stat_activity
        where pid <> pg_backend_pid() and query like ${`%${schema}%`}`;
          await killer.end();
          const other = watchedBus(peer, [subscriber]);
          for (let isStored = false; !isStored;) {
            isStored = await other.bus.publish(Placed, { n: 2 }, { id: "second" })
              .then(() => true, () => false);
          }
          await observed.until("succeeded", { box: "inbox" }, 2);
          assert.deepEqual(await rows(), [1, 2]);
          await bus.stop();
          await other.bus.stop();
        }),
    );
  });
}
