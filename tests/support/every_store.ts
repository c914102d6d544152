/**
 * Runs tests of a bus on every store there is.
 *
 * @module
 */
import { after, before, describe } from "node:test";
import type { PGlite } from "@electric-sql/pglite";
import type postgres from "postgres";
import { memoryStore } from "../../adapters/memory/mod.ts";
import { pgliteStore } from "../../adapters/pglite/mod.ts";
import { postgresStore } from "../../adapters/postgres/mod.ts";
import { upstashRedisStore } from "../../adapters/upstash_redis/mod.ts";
import type { Store } from "../../core/ports.ts";
import { newPglite } from "./pglite.ts";
import { connect, dropSchema, freshSchema, NO_POSTGRES, postgresUrl } from "./postgres.ts";
import { skipFor } from "./skip.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "./upstash_redis.ts";

/** A store for one test. */
export interface Opened {
  /** The store, empty and ready. */
  readonly store: Store;
  /** A second store on the same records; the same one where there can be no other. */
  readonly peer: Store;
  /** Gives back what was opened. */
  close(): Promise<void>;
}

/** What a test has to know of a store. */
export interface StoreTraits {
  /** Whether it has transactions. */
  readonly hasTransactions: boolean;
  /** Whether everything else waits while a transaction is open. */
  readonly hasOneConnection: boolean;
}

/** Opens a store; only within a test. */
export type Open = () => Promise<Opened>;

const url = await postgresUrl();
const noRedis = redisProblem();

/**
 * Defines tests for every store.
 *
 * @param only Only stores with transactions, if true.
 */
export function onEveryStore(
  suite: string,
  define: (open: Open, traits: StoreTraits) => void,
  only: "all" | "with transactions" = "all",
): void {
  describe(`${suite} (memory)`, () => {
    define(() => {
      const store = memoryStore() as Store;
      return Promise.resolve({ store, peer: store, close: () => Promise.resolve() });
    }, { hasTransactions: true, hasOneConnection: false });
  });

  describe(`${suite} (PGlite)`, () => {
    let db: PGlite;
    before(async () => void (db = await newPglite()));
    after(() => db.close());
    define(async () => {
      const schema = freshSchema();
      const [store, peer] = [pgliteStore(db, { schema }), pgliteStore(db, { schema })] as Store[];
      return await opened(store as Store, peer as Store, async () => {
        await db.exec(`drop schema "${schema}" cascade`);
      });
    }, { hasTransactions: true, hasOneConnection: true });
  });

  describe(`${suite} (Postgres)`, { skip: url === null ? skipFor(NO_POSTGRES) : false }, () => {
    let sql: postgres.Sql;
    before(() => void (sql = connect(url as string, { max: 10 })));
    after(() => sql.end());
    define(async () => {
      const schema = freshSchema();
      const [store, peer] = [postgresStore(sql, { schema }), postgresStore(sql, { schema })];
      return await opened(store as Store, peer as Store, () => dropSchema(sql, schema));
    }, { hasTransactions: true, hasOneConnection: false });
  });

  if (only === "with transactions") return;
  describe(
    `${suite} (Upstash Redis)`,
    { skip: noRedis === null ? false : skipFor(noRedis) },
    () => {
      let upstash: UpstashRedis;
      let prefixes = 0;
      before(async () => void (upstash = await startUpstashRedis()));
      after(() => upstash.stop());
      define(async () => {
        const prefix = `test-${++prefixes}`;
        const [redis, other] = [upstash.redis, upstash.connect()];
        const store = upstashRedisStore({ redis, prefix }) as Store;
        return await opened(store, upstashRedisStore({ redis: other, prefix }) as Store);
      }, { hasTransactions: false, hasOneConnection: false });
    },
  );
}

async function opened(
  store: Store,
  peer: Store,
  close: () => Promise<void> = () => Promise.resolve(),
): Promise<Opened> {
  await Promise.all([store.ready(), peer.ready()]);
  return {
    store,
    peer,
    async close() {
      await Promise.all([store.close(), peer.close()]);
      await close();
    },
  };
}
