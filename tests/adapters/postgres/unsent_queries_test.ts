/**
 * Queries that the driver takes for a connection whose socket has failed and is not closed yet. It sends none of them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as openSocket, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import type postgres from "postgres";
import { guardPostgres, postgresStore } from "../../../adapters/postgres/mod.ts";
import { NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import {
  connect,
  dropSchema,
  freshSchema,
  NO_POSTGRES,
  postgresUrl,
} from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
/** Less than a statement of the store waits for its answer. */
const LIMIT = { timeout: 15_000 };

/** What became of a query. */
type Outcome = { readonly answer: unknown } | { readonly error: { readonly code?: unknown } };

/** A client with one connection, whose socket can be made to fail. */
class FailingClient {
  readonly sql: postgres.Sql;
  #socket: Socket | null = null;
  #onError: () => void = () => {};

  constructor() {
    const { hostname, port } = new URL(url as string);
    this.sql = connect(url as string, {
      max: 1,
      backoff: () => 0.01,
      // The type does not have it.
      ...{
        socket: async () => {
          const socket = openSocket(Number(port || 5432), hostname);
          await once(socket, "connect");
          socket.on("error", () => this.#onError());
          this.#socket = socket;
          return socket;
        },
      },
    });
  }

  /** Makes the socket fail, and runs work before it is closed; returns what becomes of it. */
  async whileFailing(work: () => readonly Promise<unknown>[]): Promise<readonly Outcome[]> {
    const socket = this.#socket as Socket;
    const started = new Promise<readonly Promise<Outcome>[]>((resolve) => {
      // The driver has its own listener, which runs first.
      this.#onError = () => queueMicrotask(() => resolve(work().map(outcomeOf)));
    });
    socket.destroy(new Error("On purpose"));
    const outcomes = await started;
    this.#onError = () => {};
    return await Promise.all(outcomes);
  }
}

async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  try {
    return { answer: await work };
  } catch (error) {
    return { error: error as { code?: unknown } };
  }
}

/** Fails if any of it was answered. */
function assertRejected(outcomes: readonly Outcome[], code: string): void {
  const codes = outcomes.map((each) => "error" in each ? each.error.code : each);
  assert.deepEqual(codes, outcomes.map(() => code));
}

describe("Postgres: a query on a connection that has failed and is not closed", {
  skip: url === null && skipFor(NO_POSTGRES),
}, () => {
  const schema = freshSchema();
  before(async () => {
    const sql = connect(url as string);
    await postgresStore(sql, { schema }).ready();
    await sql.end();
  });
  after(async () => {
    if (url === null) return;
    const sql = connect(url);
    await dropSchema(sql, schema);
    await sql.end();
  });

  /** Runs a test with a client that has used its connection. */
  const using = async (test: (client: FailingClient, sql: postgres.Sql) => Promise<void>) => {
    const client = new FailingClient();
    const sql = guardPostgres(client.sql);
    try {
      await sql`select 1`;
      await test(client, sql);
      // The pool has its connection again.
      const rows = await Promise.all([1, 2, 3].map(async (n) => await sql`select ${n}::int as n`));
      assert.deepEqual(rows.map(([row]) => row?.["n"]), [1, 2, 3]);
    } finally {
      await client.sql.end({ timeout: 1 });
    }
  };

  for (const count of [1, 2, 5]) {
    for (const isSimple of [false, true]) {
      const kind = isSimple ? "simple" : "prepared";
      /** Queries of which each has an answer of its own. */
      const queries = (sql: postgres.Sql) =>
        Array.from(
          { length: count },
          async (_, n) =>
            isSimple ? await sql.unsafe(`select ${n} as n`) : await sql`select ${n}::int as n`,
        );
      /** The driver may have kept later ones for the next connection. */
      const assertEach = (outcomes: readonly Outcome[]) => {
        assertRejected(outcomes.slice(0, 1), "CONNECTION_DESTROYED");
        for (const [n, outcome] of outcomes.entries()) {
          if ("answer" in outcome) assert.deepEqual([...outcome.answer as object[]], [{ n }]);
          else assertRejected([outcome], "CONNECTION_DESTROYED");
        }
      };

      it(
        `rejects, with ${count} ${kind} on an idle connection`,
        LIMIT,
        () =>
          using(async (client, sql) => {
            assertEach(await client.whileFailing(() => queries(sql)));
          }),
      );

      it(
        `rejects, with ${count} ${kind} behind one that waits for its answer`,
        LIMIT,
        () =>
          using(async (client, sql) => {
            const waiting = outcomeOf((async () => await sql.unsafe("select pg_sleep(60)"))());
            // It is sent at the end of this turn.
            await new Promise((resolve) => setTimeout(resolve, 0));
            assertEach(await client.whileFailing(() => queries(sql)));
            assert.ok("error" in await waiting);
          }),
      );
    }
  }

  it("rejects, with parameters on a client that does not prepare", LIMIT, async () => {
    const client = new FailingClient();
    client.sql.options.prepare = false;
    const sql = guardPostgres(client.sql);
    try {
      await sql`select ${1}::int`;
      const outcomes = await client.whileFailing(() => [(async () =>
        await sql`select ${2}::int`)()]
      );
      assertRejected(outcomes, "CONNECTION_DESTROYED");
      assert.equal((await sql`select ${3}::int as n`)[0]?.["n"], 3);
    } finally {
      await client.sql.end({ timeout: 1 });
    }
  });

  it("rejects in a transaction of a guarded client", LIMIT, () =>
    using(async (client, sql) => {
      const outcomes = await client.whileFailing(() => [sql.begin((tx) => tx`select 1`)]);
      assertRejected(outcomes, "connection_lost");
    }));

  it("rejects a commit, which the server never gets", LIMIT, () =>
    using(async (client, sql) => {
      const table = `${schema}.committed`;
      await sql.unsafe(`create table ${table} (n int)`);
      const work = Promise.withResolvers<void>();
      const written = Promise.withResolvers<void>();
      const transaction = outcomeOf(sql.begin(async (tx) => {
        await tx.unsafe(`insert into ${table} values (1)`);
        written.resolve();
        await work.promise;
      }));
      await written.promise;
      await client.whileFailing(() => {
        work.resolve();
        return [];
      });
      assert.ok("error" in await transaction);
      assert.equal((await sql.unsafe(`select from ${table}`)).length, 0);
    }));

  it("is no empty answer of a store", LIMIT, () =>
    using(async (client) => {
      const store = postgresStore(client.sql, { schema });
      const key = { id: "there", group: "" };
      await store.add("outbox", [recordOf("there")], NOW);
      const outcomes = await client.whileFailing(() => [store.find("outbox", key)]);
      assertRejected(outcomes, "outcome_unknown");
      assert.equal((await store.find("outbox", key))?.message.id, "there");
      const added = await client.whileFailing(() => [
        store.add("outbox", [recordOf("new-1"), recordOf("new-2")], NOW),
      ]);
      assertRejected(added, "outcome_unknown");
    }));
});
