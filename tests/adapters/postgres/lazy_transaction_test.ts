import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Store } from "../../../core/ports/store.ts";
import type { BusOptions, HandlerContext, SubscribeOptions } from "../../../mod.ts";
import { createBus, subscribe } from "../../../mod.ts";
import { arriving, Placed } from "../../support/bus_fixture.ts";
import { type DriverClient, DRIVERS, type TestedDriver } from "../../support/drivers.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { Observed } from "../../support/observed.ts";
import { freshSchema, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);
const RETRY = { kind: "fixed", delayMs: 60_000, maxAttempts: 3 } as const;
const KEY = { id: "m", group: "g" };

type Work = (context: HandlerContext<unknown>) => unknown;

interface Room {
  readonly client: DriverClient;
  readonly store: Store;
  /** The texts of statements, as the driver sent them. */
  readonly sent: string[];
  readonly observed: Observed;
  readonly table: string;
  /** Makes a bus with one handler. */
  bus(
    work: Work,
    own?: Partial<SubscribeOptions>,
    options?: Partial<BusOptions<unknown>>,
  ): ReturnType<typeof createBus>;
  /** The numbers that handlers wrote. */
  rows(): Promise<number[]>;
  insert(tx: unknown, n: number): Promise<unknown>;
}

async function withRoomOn(
  driver: TestedDriver,
  test: (room: Room) => Promise<void>,
  { max = 4, statementTimeoutMs = 30_000 } = {},
): Promise<void> {
  const client = driver.connect(await postgresUrl() as string, { max });
  const schema = freshSchema();
  const { sent, run } = client;
  const store = client.store({ schema, statementTimeoutMs });
  try {
    await store.ready();
    const table = `${schema}.business`;
    await run(`create table ${table} (n int)`);
    const observed = new Observed();
    sent.length = 0;
    await test({
      client,
      store,
      sent,
      observed,
      table,
      bus: (work, own, options) =>
        createBus(
          { store, transport: new FakeTransport(), observe: observed.observe, ...options },
          [
            subscribe<typeof Placed, unknown>(
              Placed,
              { group: "g", retry: RETRY, ...own },
              async (_body, context) => void await work(context),
            ),
          ],
        ),
      rows: async () => (await run(`select n from ${table} order by n`)).map((row) => row["n"]),
      async insert(tx, n) {
        await run(`insert into ${table} values ($1)`, [n], tx);
      },
    });
  } finally {
    await store.close();
    await run(`drop schema if exists "${schema}" cascade`);
    await client.end();
  }
}

for (const driver of DRIVERS) {
  describe(`Postgres: a handler's transaction on ${driver.name}`, { skip }, () => {
    const withRoom = (test: (room: Room) => Promise<void>, options = {}) =>
      withRoomOn(driver, test, options);

    it("never begins for handlers that do not use it, which hold no connection and share statements", () =>
      withRoom(async ({ bus, sent, store }) => {
        const gate = new Gate();
        const own = bus(() => gate.pass(), {}, { concurrency: 30 });
        const delivery = own.deliver(Array.from({ length: 30 }, (_, i) => arriving(`m-${i}`)));
        // The pool has two connections.
        await gate.reached(30);
        sent.length = 0;
        gate.open();
        assert.deepEqual((await delivery).map(({ kind }) => kind), Array(30).fill("handled"));
        assert.deepEqual(sent.filter((text) => /^(begin|commit)/.test(text)), []);
        assert.ok(sent.length <= 3, `${sent.length} statements`);
        assert.equal((await store.count("inbox")).succeeded, 30);
        await own.stop();
      }, { max: 2 }));

    it("begins with its first use, after an await as well, and commits with the settlement", () =>
      withRoom(async ({ bus, sent, store, insert, rows }) => {
        const own = bus(async ({ tx }) => {
          assert.deepEqual(sent.filter((text) => /^begin/.test(text)), []);
          await quiet();
          await insert(tx, 1);
        });
        assert.equal((await own.deliver([arriving("m")]))[0]?.kind, "handled");
        assert.deepEqual(await rows(), [1]);
        assert.equal((await store.find("inbox", KEY))?.state, "succeeded");
        await own.stop();
      }));

    it("begins once for uses at the same time, each of which comes after the lock on its message", () =>
      withRoom(async ({ bus, sent, insert, rows }) => {
        const own = bus(({ tx }) => Promise.all([insert(tx, 1), insert(tx, 2), insert(tx, 3)]));
        await own.deliver([arriving("m")]);
        assert.deepEqual(await rows(), [1, 2, 3]);
        const begun = sent.findIndex((text) => /^begin/.test(text));
        assert.match(sent[begun + 1] ?? "", /for key share/);
        assert.equal(sent.filter((text) => /^begin/.test(text)).length, 1);
        await own.stop();
      }));

    it("is begun by a publish, and by a middleware", () =>
      withRoom(async ({ bus, sent, store, insert, rows }) => {
        const publishing = bus(({ publish }) => publish(Placed, { n: 2 }, { id: "published" }));
        await publishing.deliver([arriving("m")]);
        assert.equal(sent.filter((text) => /^begin/.test(text)).length, 1);
        assert.notEqual(await store.find("outbox", { id: "published", group: "" }), null);
        await publishing.stop();
        const wrapped = bus(() => {}, {}, {
          onConsume: [async (body, { tx }, next) => {
            await insert(tx, 1);
            return await next(body);
          }],
        });
        await wrapped.deliver([arriving("other")]);
        assert.deepEqual(await rows(), [1]);
        await wrapped.stop();
      }));

    it("writes nothing where the claim was lost before its first use", () =>
      withRoom(async ({ bus, store, observed, insert, rows }) => {
        const gate = new Gate();
        const errors: unknown[] = [];
        const own = bus(async ({ tx }) => {
          await gate.pass();
          await insert(tx, 1).catch((error) => errors.push(error.code));
          await insert(tx, 2).catch((error) => errors.push(error.code));
        });
        const delivery = own.deliver([arriving("m")]);
        await gate.reached();
        const laterMs = Date.now() + 3_600_000;
        const [other] = await store.claim({
          box: "inbox",
          limit: 1,
          nowMs: laterMs,
          leaseUntilMs: laterMs + 60_000,
          kind: "ready",
          key: KEY,
        });
        gate.open();
        await delivery;
        assert.deepEqual(errors, ["lease_lost", "lease_lost"]);
        assert.equal(observed.all("stale", { id: "m" }).length, 1);
        assert.deepEqual(await rows(), []);
        assert.deepEqual(await store.find("inbox", KEY), other);
        await own.stop();
      }));

    it("keeps its message from other claims while it is open, however long, and lets leases be renewed", () =>
      withRoom(async ({ bus, store, insert, rows }) => {
        const gate = new Gate();
        const own = bus(async ({ tx }) => {
          await insert(tx, 1);
          await gate.pass();
        });
        const delivery = own.deliver([arriving("m")]);
        await gate.reached();
        const laterMs = Date.now() + 3_600_000;
        const request = { box: "inbox", limit: 1, nowMs: laterMs, key: KEY } as const;
        const leaseUntilMs = laterMs + 60_000;
        assert.deepEqual(await store.claim({ ...request, leaseUntilMs, kind: "ready" }), []);
        const record = await store.find("inbox", KEY);
        const lease = { key: KEY, epoch: record?.epoch ?? 0 };
        assert.deepEqual(await store.renew("inbox", [lease], leaseUntilMs), [true]);
        gate.open();
        assert.equal((await delivery)[0]?.kind, "handled");
        assert.deepEqual(await rows(), [1]);
        await own.stop();
      }));

    it("has what the handler did not await, and fails with it", () =>
      withRoom(async ({ bus, client, store, observed, table, insert, rows }) => {
        const own = bus(({ tx, message }) => {
          if (message.id === "m") void insert(tx, 1);
          else void client.run(`insert into ${table} values ('no number')`, [], tx);
        });
        await own.deliver([arriving("m")]);
        assert.deepEqual(await rows(), [1]);
        assert.equal((await store.find("inbox", KEY))?.state, "succeeded");
        await own.deliver([arriving("bad")]);
        const { reason } = await observed.until("retrying", { id: "bad" });
        assert.match(reason, /invalid input syntax/);
        assert.equal((await store.find("inbox", { id: "bad", group: "g" }))?.attempts, 1);
        await own.stop();
      }));

    it("has the isolation level that the handler sets as its first statement", () =>
      withRoom(async ({ bus, client, store, table, insert, rows }) => {
        const seen: unknown[] = [];
        const own = bus(async ({ tx }) => {
          await client.run("set transaction isolation level repeatable read", [], tx);
          const count = () => client.run(`select count(*)::int as n from ${table}`, [], tx);
          seen.push((await count())[0]?.["n"]);
          await client.run(`insert into ${table} values (7)`);
          seen.push((await count())[0]?.["n"]);
          const [level] = await client.run("show transaction_isolation", [], tx);
          seen.push(level?.["transaction_isolation"]);
          await insert(tx, 1);
        });
        assert.equal((await own.deliver([arriving("m")]))[0]?.kind, "handled");
        assert.deepEqual(seen, [0, 0, "repeatable read"]);
        assert.deepEqual(await rows(), [1, 7]);
        assert.equal((await store.find("inbox", KEY))?.state, "succeeded");
        await own.stop();
      }));

    it("is begun by a savepoint, which may be rolled back alone", () =>
      withRoom(async ({ bus, client, insert, rows }) => {
        const own = bus(async ({ tx }) => {
          await client.savepoint(tx, async (inner) => {
            await insert(inner, 1);
            throw new Error("not this");
          }).catch(() => {});
          await client.savepoint(tx, async (inner) => {
            await client.run("select 1 / 0", [], inner);
          }).catch(() => {});
          await client.savepoint(tx, (inner) => insert(inner, 2));
        });
        assert.equal((await own.deliver([arriving("m")]))[0]?.kind, "handled");
        assert.deepEqual(await rows(), [2]);
        await own.stop();
      }));

    it("refuses its first use once the handler has ended", () =>
      withRoom(async ({ bus, insert, rows }) => {
        let late: unknown;
        const own = bus(({ tx }) => void (late = tx));
        await own.deliver([arriving("m")]);
        await assert.rejects(Promise.resolve(insert(late, 1)), { code: "transaction_ended" });
        assert.deepEqual(await rows(), []);
        await own.stop();
      }));

    it("is rolled back where the handler fails, and needs no rollback where it failed before", () =>
      withRoom(async ({ bus, sent, store, insert, rows }) => {
        const own = bus(async ({ tx, message }) => {
          if (message.id === "m") await insert(tx, 1);
          throw new Error("no");
        });
        await own.deliver([arriving("m")]);
        sent.length = 0;
        await own.deliver([arriving("other")]);
        assert.deepEqual(sent.filter((text) => /^(begin|commit|rollback)/.test(text)), []);
        assert.deepEqual(await rows(), []);
        for (const id of ["m", "other"]) {
          const record = await store.find("inbox", { id, group: "g" });
          assert.deepEqual([record?.state, record?.attempts], ["scheduled", 1]);
        }
        await own.stop();
      }));

    it("is ended by the server where its process is gone for longer than its time, unless there is another limit", () =>
      withRoom(async ({ bus, client }) => {
        const seen: unknown[] = [];
        const own = bus(async ({ tx, message }) => {
          if (message.id === "own") {
            await client.run("set local idle_in_transaction_session_timeout = 5000", [], tx);
          }
          const [row] = await client.run("show idle_in_transaction_session_timeout", [], tx);
          seen.push(row?.["idle_in_transaction_session_timeout"]);
        }, { timeoutMs: 20_000 });
        await own.deliver([arriving("m")]);
        await own.deliver([arriving("own")]);
        assert.deepEqual(seen, ["30s", "5s"]);
        const [after] = await client.run("show idle_in_transaction_session_timeout");
        assert.equal(after?.["idle_in_transaction_session_timeout"], "0");
        await own.stop();
      }, { max: 1 }));

    it("does not use up the handler's time while it waits for a connection", () =>
      withRoom(async ({ bus, client, store, insert, rows }) => {
        const clock = new ManualClock();
        const [ready, asked] = [new Gate(), new Gate()];
        const own = bus(
          async ({ tx }) => {
            await ready.pass();
            const use = insert(tx, 1);
            await quiet();
            void asked.pass();
            await use;
          },
          { timeoutMs: 1_000 },
          { clock },
        );
        const delivery = own.deliver([arriving("m")]);
        await ready.reached();
        const others = await takeAll(client);
        ready.open();
        await asked.reached();
        clock.advance(5_000);
        await quiet();
        await others.free();
        assert.equal((await delivery)[0]?.kind, "handled");
        assert.deepEqual(await rows(), [1]);
        assert.equal((await store.find("inbox", KEY))?.attempts, 1);
        await own.stop();
      }, { max: 2 }));

    it("that gets no connection costs no attempt: the message is given back", () =>
      withRoom(async ({ bus, client, store, observed, insert, rows }) => {
        const ready = new Gate();
        const own = bus(async ({ tx }) => {
          await ready.pass();
          await insert(tx, 1);
        });
        const delivery = own.deliver([arriving("m")]);
        await ready.reached();
        const others = await takeAll(client);
        ready.open();
        const { error } = await observed.until("error", { during: "handle" });
        assert.equal((error as { code?: string }).code, "timeout");
        await others.free();
        assert.equal((await delivery)[0]?.kind, "accepted");
        const record = await store.find("inbox", KEY);
        assert.deepEqual([record?.state, record?.attempts], ["scheduled", 0]);
        assert.deepEqual(await rows(), []);
        await own.stop();
      }, { max: 2, statementTimeoutMs: 500 }));

    it("that waits for a connection is given up when the bus stops", () =>
      withRoom(async ({ bus, client, store, observed, insert, rows }) => {
        const [ready, asked] = [new Gate(), new Gate()];
        const own = bus(async ({ tx }) => {
          await ready.pass();
          const use = insert(tx, 1);
          await quiet();
          void asked.pass();
          await use;
        });
        const delivery = own.deliver([arriving("m")]);
        await ready.reached();
        const others = await takeAll(client);
        ready.open();
        await asked.reached();
        const stopped = own.stop({ drainMs: 0 });
        // It is released while nobody has given a connection back; the release itself then needs one.
        await quiet();
        await others.free();
        await stopped;
        assert.equal((await delivery)[0]?.kind, "accepted");
        assert.deepEqual(observed.all("error"), []);
        const record = await store.find("inbox", KEY);
        assert.deepEqual([record?.state, record?.attempts], ["scheduled", 0]);
        assert.deepEqual(await rows(), []);
      }, { max: 2 }));
  });
}

/** Occupies every connection of a pool of two. */
async function takeAll({ begin }: DriverClient): Promise<{ free(): Promise<void> }> {
  const gate = new Gate();
  const both = [1, 2].map(() => begin(() => gate.pass()));
  await gate.reached(2);
  return {
    async free() {
      gate.open();
      await Promise.all(both);
    },
  };
}
