/**
 * The types of a store on `pg`. That this file compiles is the test: each `@ts-expect-error` is an error the compiler
 * must report. The types of `pg` itself are in a package that changes those of Node in the whole program, so this has
 * their shape.
 *
 * @module
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { pgFence, pgStore, type PgTransactionOf } from "../../../adapters/pg/mod.ts";
import { createBus, subscribe } from "../../../mod.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { connectPg } from "../../support/pg.ts";

interface Client {
  query<Row>(text: string, values?: unknown[]): Promise<{ rows: Row[] }>;
  release(error?: Error | boolean): void;
}

/** As the types of `pg` and of Neon's pool have it. */
interface Pool {
  connect(): Promise<Client>;
  connect(
    callback: (
      error: Error | undefined,
      client: Client | undefined,
      done: (release?: unknown) => void,
    ) => void,
  ): void;
  on<Name extends "release" | "error">(
    event: Name,
    listener: Name extends "release" ? (error: Error, client: Client) => void
      : (error: Error, client: Client) => void,
  ): this;
  on(event: "connect" | "acquire" | "remove", listener: (client: Client) => void): this;
}

/** With one signature. */
interface PlainPool {
  connect(): Promise<Client>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

it("a handler on pg gets the client that its pool gives", async () => {
  const pool: Pool = connectPg("postgres://127.0.0.1:1/none");
  const [store, fence] = [pgStore(pool), pgFence(pool)];
  const subscriber = subscribe<typeof Placed, PgTransactionOf<Pool>>(
    Placed,
    { group: "g" },
    async (_body, { tx }) => {
      const client: Client = tx;
      const { rows } = await client.query<{ n: number }>("select 1 as n");
      // @ts-expect-error -- a column that is not in the row
      void rows[0]?.m;
      // @ts-expect-error -- a method that no client has
      tx.begin();
    },
  );
  const bus = createBus({ store, fence, transport: new FakeTransport() }, [subscriber]);
  void ((tx: PgTransactionOf<PlainPool>): Client => tx);
  // @ts-expect-error -- a client is no number
  void ((tx: PgTransactionOf<PlainPool>): number => tx);
  await bus.stop();
  assert.ok(store.capabilities.lazyTransactions);
});
