/**
 * Tests that every store must pass with a bus around it.
 *
 * @module
 */
import { after, before, describe } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { memoryStore } from "../../adapters/memory/mod.ts";
import { pgliteStore } from "../../adapters/pglite/mod.ts";
import { postgresStore } from "../../adapters/postgres/mod.ts";
import { upstashRedisStore } from "../../adapters/upstash_redis/mod.ts";
import type { Store } from "../../core/ports.ts";
import type { Tx } from "./bus_fixture.ts";
import { connect, dropSchema, freshSchema, NO_POSTGRES, postgresUrl } from "./postgres.ts";
import { skipFor } from "./skip.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "./upstash_redis.ts";
import { storeWithoutTransactions } from "./without_transactions.ts";

/** A store for one test. What its transactions are is not for the tests to know. */
export interface OpenStore {
  readonly store: Store<Tx>;
  close(): Promise<void>;
}

/** Opens a store that is empty. */
export type OpenEmpty = () => Promise<OpenStore>;

const url = await postgresUrl();
const noRedis = redisProblem();

/** Registers the same tests for each store. */
export function describeEachStore(title: string, tests: (open: OpenEmpty) => void): void {
  const inMemory = (store: Store) => Promise.resolve(opened(store, () => Promise.resolve()));
  describe(`${title}, in memory`, () => tests(() => inMemory(memoryStore() as Store)));
  describe(`${title}, in memory without transactions`, () => {
    tests(() => inMemory(storeWithoutTransactions()));
  });
  describe(`${title}, on PGlite`, () => {
    tests(() => {
      const db = new PGlite();
      return Promise.resolve(opened(pgliteStore(db) as Store, () => db.close()));
    });
  });
  describe(`${title}, on Postgres`, { skip: url === null && skipFor(NO_POSTGRES) }, () => {
    tests(() => {
      const sql = connect(url as string);
      const schema = freshSchema();
      return Promise.resolve(opened(postgresStore(sql, { schema }) as Store, async () => {
        await dropSchema(sql, schema);
        await sql.end();
      }));
    });
  });
  describe(`${title}, on Upstash Redis`, { skip: noRedis !== null && skipFor(noRedis) }, () => {
    let upstash: UpstashRedis;
    let prefixes = 0;
    before(async () => {
      upstash = await startUpstashRedis();
    });
    after(() => upstash.stop());
    tests(() => {
      const store = upstashRedisStore({ redis: upstash.redis, prefix: `each-${++prefixes}` });
      return Promise.resolve(opened(store as Store, () => Promise.resolve()));
    });
  });
}

function opened(store: Store, close: () => Promise<void>): OpenStore {
  return { store: store as Store<Tx>, close };
}
