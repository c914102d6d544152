/**
 * Every store there is, for tests of what a bus must do on each of them.
 *
 * @module
 */
import { after, before, describe } from "node:test";
import { memoryStore } from "../../adapters/memory/mod.ts";
import { pgliteStore } from "../../adapters/pglite/mod.ts";
import { postgresStore } from "../../adapters/postgres/mod.ts";
import { upstashRedisStore } from "../../adapters/upstash_redis/mod.ts";
import type { Store } from "../../core/ports.ts";
import { newPglite } from "./pglite.ts";
import { connect, dropSchema, freshSchema, NO_POSTGRES, postgresUrl } from "./postgres.ts";
import { skipFor } from "./skip.ts";
import { redisProblem, startUpstashRedis } from "./upstash_redis.ts";

/** A store with nothing in it, as each test gets it. */
export interface EmptyStore {
  readonly store: Store;
  close(): Promise<void>;
}

/** Opens empty stores. */
export type OpenStore = () => Promise<EmptyStore>;

interface Kind {
  readonly name: string;
  readonly skip: string | false;
  /** Starts what the stores of one suite share. */
  start(): Promise<{ readonly open: OpenStore; close(): Promise<void> }>;
}

const url = await postgresUrl();
const noRedis = redisProblem();

const KINDS: readonly Kind[] = [
  {
    name: "memory",
    skip: false,
    start: () =>
      Promise.resolve({
        open() {
          const store = memoryStore() as Store;
          return Promise.resolve({ store, close: () => store.close() });
        },
        close: () => Promise.resolve(),
      }),
  },
  {
    name: "PGlite",
    skip: false,
    async start() {
      const db = await newPglite();
      return {
        open() {
          const store = pgliteStore(db, { schema: freshSchema() }) as Store;
          return Promise.resolve({ store, close: () => store.close() });
        },
        close: () => db.close(),
      };
    },
  },
  {
    name: "Postgres",
    skip: url === null && skipFor(NO_POSTGRES),
    start() {
      const sql = connect(url as string);
      return Promise.resolve({
        open() {
          const schema = freshSchema();
          const store = postgresStore(sql, { schema }) as Store;
          return Promise.resolve({
            store,
            async close() {
              await store.close();
              await dropSchema(sql, schema);
            },
          });
        },
        close: () => sql.end(),
      });
    },
  },
  {
    name: "Upstash Redis",
    skip: noRedis !== null && skipFor(noRedis),
    async start() {
      const upstash = await startUpstashRedis();
      let prefixes = 0;
      return {
        open() {
          const prefix = `store-${++prefixes}`;
          const store = upstashRedisStore({ redis: upstash.connect(), prefix }) as Store;
          return Promise.resolve({ store, close: () => store.close() });
        },
        close: () => upstash.stop(),
      };
    },
  },
];

/** Describes something for each store. */
export function describeOnEveryStore(what: string, tests: (open: OpenStore) => void): void {
  for (const { name, skip, start } of KINDS) {
    describe(`${what}: on ${name}`, { skip }, () => {
      let started: Awaited<ReturnType<Kind["start"]>> | undefined;
      before(async () => {
        started = await start();
      });
      after(async () => await started?.close());
      tests(() => {
        if (started === undefined) throw new Error("want a store within a test");
        return started.open();
      });
    });
  }
}
