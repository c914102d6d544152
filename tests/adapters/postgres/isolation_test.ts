import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type postgres from "postgres";
import { inProcessTransport } from "../../../adapters/memory/mod.ts";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { type Bus, createBus, subscribe } from "../../../mod.ts";
import { arriving, Deduct, Marked, Placed } from "../../support/bus_fixture.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { Observed } from "../../support/observed.ts";
import {
  connect,
  dropSchema,
  freshSchema,
  NO_POSTGRES,
  postgresUrl,
} from "../../support/postgres.ts";
import { withSchema } from "../../support/postgres_store.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { recordOf } from "../../../devtools/conformance/store/subject.ts";
import { wrapped } from "../../support/wrapped_store.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const skip = url === null ? skipFor(NO_POSTGRES) : false;
/** A test that waits for what never comes fails. */
const LIMIT = { timeout: 60_000 };

type Tx = postgres.TransactionSql;
type Level = "read committed" | "repeatable read" | "serializable";

function connectAt(level: Level, max = 5): postgres.Sql {
  return connect(url as string, { max, connection: { default_transaction_isolation: level } });
}

interface Room {
  readonly sql: postgres.Sql;
  readonly schema: string;
  readonly store: Store<Tx>;
}

/** Runs a test with a store on a client of which each transaction has a level by default. */
async function withLevel(level: Level, test: (room: Room) => Promise<void>): Promise<void> {
  const sql = connectAt(level, 10);
  const schema = freshSchema();
  const store = postgresStore(sql, { schema }) as Store<Tx>;
  try {
    await store.ready();
    await sql.unsafe(`create table "${schema}".stock (id int primary key, left_over int)`);
    await sql.unsafe(`insert into "${schema}".stock values (1, 1000)`);
    await test({ sql, schema, store });
  } finally {
    await store.close();
    await dropSchema(sql, schema);
    await sql.end();
  }
}

for (const level of ["read committed", "repeatable read", "serializable"] as const) {
  describe(`on a database whose default is ${level}`, { skip }, () => {
    it(
      "six instances that start at once on an empty database are all ready",
      LIMIT,
      () =>
        withSchema(async (_sql, schema) => {
          const clients = Array.from({ length: 6 }, () => connectAt(level, 1));
          try {
            const stores = clients.map((sql) => postgresStore(sql, { schema }));
            await Promise.all(clients.map((sql) => sql`select 1`));
            await Promise.all(stores.map((store) => store.ready()));
          } finally {
            await Promise.all(clients.map((sql) => sql.end()));
          }
        }),
    );

    it(
      "handlers, publishes and answers need one attempt each",
      LIMIT,
      () =>
        withLevel(level, async ({ store }) => {
          const observed = new Observed();
          const options = { store, transport: inProcessTransport(), observe: observed.observe };
          const subscribers = [
            subscribe(Deduct, { group: "g", maxBatch: 5 }, ({ n }) => ({ n, ok: true })),
            subscribe(Marked, { group: "h" }, () => {}),
          ];
          const buses = [createBus<Tx>(options, subscribers), createBus<Tx>(options, subscribers)];
          await Promise.all(buses.map((bus) => bus.start()));
          const publish = (bus: Bus<Tx>, n: number) =>
            bus.publish(Deduct, { n }, { callback: Marked, ...(n % 2 ? {} : { id: `own-${n}` }) });
          await Promise.all(
            buses.flatMap((bus, i) =>
              Array.from({ length: 50 }, (_, n) => publish(bus, n * 2 + i))
            ),
          );
          await observed.until("succeeded", { box: "inbox", group: "h" }, 100);
          const attempts = observed.all("succeeded").map(({ attempts }) => attempts);
          assert.deepEqual([...new Set(attempts)], [1]);
          assert.deepEqual(observed.all("error"), []);
          assert.deepEqual(observed.all("retrying"), []);
          await Promise.all(buses.map((bus) => bus.stop()));
        }),
    );

    it(
      "handlers that change one row run one after another, at one attempt each",
      LIMIT,
      () =>
        withLevel(level, async ({ sql, schema, store }) => {
          const observed = new Observed();
          const both = new Gate();
          const bus = createBus<Tx>({
            store,
            transport: inProcessTransport(),
            observe: observed.observe,
            concurrency: 4,
          }, [
            subscribe<typeof Placed, Tx>(Placed, { group: "g" }, async (_body, { tx }) => {
              const [row] = await tx.unsafe(`select left_over from "${schema}".stock where id = 1`);
              both.pass();
              await both.reached(2);
              await tx.unsafe(
                level === "read committed"
                  ? `update "${schema}".stock set left_over = left_over - 1 where id = 1`
                  : `update "${schema}".stock set left_over = ${
                    row?.["left_over"] - 1
                  } where id = 1`,
              );
            }),
          ]);
          await bus.start();
          await bus.deliver(Array.from({ length: 8 }, (_, n) => arriving(`m-${n}`)));
          await observed.until("succeeded", {}, 8);
          const [row] = await sql.unsafe(`select left_over from "${schema}".stock`);
          assert.equal(row?.["left_over"], 992);
          assert.deepEqual(
            observed.all("succeeded").map(({ attempts }) => attempts),
            Array(8).fill(1),
          );
          await bus.stop();
        }),
    );

    it(
      "a message that is added while its record becomes a memory is recognised",
      LIMIT,
      () =>
        withLevel(level, async ({ sql, schema, store }) => {
          const entry = {
            key: "1".repeat(32),
            content: "2".repeat(32),
            principal: null,
            hasFailed: false,
          };
          const record = recordOf("m", { group: "g" });
          const old = { ...record, state: "succeeded", expiresAtMs: NOW_MS - 1 } as const;
          await store.add("inbox", [old], NOW_MS);
          // The commit of the pruning waits.
          await sql.unsafe(`create function "${schema}".wait() returns trigger language plpgsql as
          'begin perform pg_advisory_xact_lock(hashtext(''${schema}'')); return null; end'`);
          await sql.unsafe(`create constraint trigger waits after delete on "${schema}".inbox
          deferrable initially deferred for each row execute function "${schema}".wait()`);
          const blocker = await sql.reserve();
          await blocker`select pg_advisory_lock(hashtext(${schema}))`;
          const pruned = store.prune("inbox", NOW_MS, 10, {
            sinceMs: -Infinity,
            entriesOf: () => Promise.resolve([entry]),
          });
          const waits = async (what: string, count: number) => {
            for (let waiting = 0; waiting < count;) {
              const rows = await sql`select 1 from pg_locks where not granted and locktype = ${what}
              and pid in (select pid from pg_stat_activity where query like ${`%${schema}%`}
                or query ilike 'commit%')`;
              waiting = rows.length;
            }
          };
          await waits("advisory", 1);
          const added = store.addUnlessKnown([{ record, key: entry.key, sinceMs: null }], NOW_MS);
          await waits("transactionid", 1);
          await blocker`select pg_advisory_unlock(hashtext(${schema}))`;
          blocker.release();
          assert.equal(await pruned, 1);
          const { content, principal, hasFailed } = entry;
          assert.deepEqual(await added, [
            { added: false, remembered: { content, principal, hasFailed } },
          ]);
        }),
    );
  });
}

describe("a handler at a level of its own", { skip }, () => {
  /** A bus with a handler that meets conflicts. */
  async function handling(
    store: Store<Tx>,
    handle: (tx: Tx, run: number) => Promise<unknown>,
    transaction = true,
  ): Promise<{ bus: Bus<Tx>; observed: Observed; runs: () => number }> {
    const observed = new Observed();
    let runs = 0;
    const bus = createBus<Tx>({
      store,
      transport: inProcessTransport(),
      observe: observed.observe,
      retry: { kind: "fixed", delayMs: 60_000, maxAttempts: 3 },
    }, [
      subscribe<typeof Placed, Tx>(
        Placed,
        { group: "g", ...(transaction ? {} : { transaction: false }) },
        async (_body, { tx }) => void await handle(tx, ++runs),
      ),
    ]);
    await bus.start();
    return { bus, observed, runs: () => runs };
  }

  const conflict = (code: string) => Object.assign(new Error("conflict"), { code });
  const errors: Record<string, (code: string) => Error> = {
    "its own": conflict,
    "one that an ORM wrapped": (code) => new Error("query failed", { cause: conflict(code) }),
    "one that was wrapped twice": (code) =>
      new Error("work failed", { cause: new Error("query failed", { cause: conflict(code) }) }),
  };
  for (const code of ["40001", "40P01"]) {
    for (const [which, errorOf] of Object.entries(errors)) {
      it(
        `runs again at no attempt after ${code}, if it is ${which}`,
        LIMIT,
        () =>
          withLevel("read committed", async ({ store }) => {
            const { bus, observed, runs } = await handling(
              store,
              (_tx, run) => run <= 10 ? Promise.reject(errorOf(code)) : Promise.resolve(),
            );
            await bus.deliver([arriving("m")]);
            const { attempts } = await observed.until("succeeded", { id: "m" });
            assert.deepEqual([attempts, runs()], [1, 11]);
            await bus.stop();
          }),
      );
    }
  }

  it(
    "counts one attempt after ten conflicts",
    LIMIT,
    () =>
      withLevel("read committed", async ({ store }) => {
        const { bus, observed, runs } = await handling(
          store,
          () => Promise.reject(conflict("40001")),
        );
        await bus.deliver([arriving("m")]);
        const { attempts } = await observed.until("retrying", { id: "m" });
        assert.deepEqual([attempts, runs()], [1, 11]);
        await bus.stop();
      }),
  );

  it(
    "without a transaction counts each conflict as an attempt",
    LIMIT,
    () =>
      withLevel("read committed", async ({ store }) => {
        const { bus, observed, runs } = await handling(
          store,
          () => Promise.reject(conflict("40001")),
          false,
        );
        await bus.deliver([arriving("m")]);
        await observed.until("retrying", { id: "m" });
        assert.equal(runs(), 1);
        await bus.stop();
      }),
  );

  for (const level of ["repeatable read", "serializable"] as const) {
    for (const isDefault of [true, false]) {
      const how = isDefault ? "by default" : "by its first statement";
      it(
        `${level} ${how}: outlives renewals of leases`,
        LIMIT,
        () =>
          withLevel(isDefault ? level : "read committed", async ({ schema, store }) => {
            const clock = new ManualClock();
            const observed = new Observed();
            const wrapping = wrapped(store);
            let renewed = () => {};
            wrapping.around = async (method, call) => {
              const answer = await call();
              if (method === "renew") renewed();
              return answer;
            };
            const inWork = new Gate();
            let runs = 0;
            const bus = createBus<Tx>({
              store: wrapping.store,
              transport: inProcessTransport(),
              observe: observed.observe,
              clock,
              handlerTimeoutMs: 3_600_000,
            }, [
              subscribe(Deduct, { group: "h" }, async ({ n }) => {
                await inWork.pass();
                return { n, ok: true };
              }),
              subscribe<typeof Placed, Tx>(Placed, { group: "g" }, async (_body, { tx }) => {
                runs += 1;
                await inWork.reached();
                if (!isDefault) await tx.unsafe(`set transaction isolation level ${level}`);
                await tx.unsafe(`select left_over from "${schema}".stock`);
                for (let renewals = 0, seen = 0; renewals < 4; renewals = seen) {
                  renewed = () => seen = renewals + 1;
                  clock.advance(500);
                  await quiet(5);
                }
              }),
            ]);
            await bus.start();
            await bus.deliver([arriving("other", { name: Deduct.name }), arriving("m")]);
            const { attempts } = await observed.until("succeeded", { id: "m" });
            assert.deepEqual([attempts, runs], [1, 1]);
            inWork.open();
            await bus.stop();
          }),
      );
    }

    it(
      `${level}: sees one snapshot, and runs again when a row changed since`,
      LIMIT,
      () =>
        withLevel("read committed", async ({ sql, schema, store }) => {
          const levels: unknown[] = [];
          const { bus, observed, runs } = await handling(store, async (tx, run) => {
            await tx.unsafe(`set transaction isolation level ${level}`);
            await tx.unsafe(`select left_over from "${schema}".stock`);
            levels.push((await tx`show transaction_isolation`)[0]?.["transaction_isolation"]);
            if (run === 1) await sql.unsafe(`update "${schema}".stock set left_over = 7`);
            await tx.unsafe(`update "${schema}".stock set left_over = left_over - 1`);
          });
          await bus.deliver([arriving("m")]);
          const { attempts } = await observed.until("succeeded", { id: "m" });
          assert.deepEqual([attempts, runs(), levels], [1, 2, [level, level]]);
          const [row] = await sql.unsafe(`select left_over from "${schema}".stock`);
          assert.equal(row?.["left_over"], 6);
          await bus.stop();
        }),
    );
  }
});
