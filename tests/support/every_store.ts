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
import type { Store } from "../../core/ports/store.ts";
import { newPglite } from "./pglite.ts";
import { connect, dropSchema, freshSchema, NO_POSTGRES, postgresUrl } from "./postgres.ts";
import { skipFor } from "./skip.ts";
import { redisProblem, startUpstashRedis } from "./upstash_redis.ts";

/** A store with nothing in it, as each test gets it. */
export interface EmptyStore {
  readonly store: Store;
  /** A second store on the same records, as another process has it; the same one where there is no other. */
  readonly peer: Store;
  close(): Promise<void>;
}

/** Opens empty stores. */
export type OpenStore = () => Promise<EmptyStore>;

/** What a test has to know of a store. */
export interface StoreTraits {
  readonly hasTransactions: boolean;
  /** Whether everything else waits while a transaction is open. */
  readonly hasOneConnection: boolean;
}

interface Kind extends StoreTraits {
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
    hasTransactions: true,
    hasOneConnection: false,
    skip: false,
    start: () =>
      Promise.resolve({
        open() {
          const store = memoryStore() as Store;
          return Promise.resolve({ store, peer: store, close: () => store.close() });
        },
        close: () => Promise.resolve(),
      }),
  },
  {
    name: "PGlite",
    hasTransactions: true,
    hasOneConnection: true,
    skip: false,
    async start() {
      const db = await newPglite();
      return {
        open() {
          const schema = freshSchema();
          const [store, peer] = [schema, schema].map((each) => pgliteStore(db, { schema: each }));
          return readied(store as Store, peer as Store);
        },
        close: () => db.close(),
      };
    },
  },
  {
    name: "Postgres",
    hasTransactions: true,
    hasOneConnection: false,
    skip: url === null && skipFor(NO_POSTGRES),
    start() {
      const sql = connect(url as string, { max: 10 });
      return Promise.resolve({
        open() {
          const schema = freshSchema();
          const [store, peer] = [schema, schema].map((each) =>
            postgresStore(sql, { schema: each })
          );
          return readied(store as Store, peer as Store, () => dropSchema(sql, schema));
        },
        close: () => sql.end(),
      });
    },
  },
  {
    name: "Upstash Redis",
    hasTransactions: false,
    hasOneConnection: false,
    skip: noRedis !== null && skipFor(noRedis),
    async start() {
      const upstash = await startUpstashRedis();
      let prefixes = 0;
      return {
        open() {
          const prefix = `store-${++prefixes}`;
          const [store, peer] = [prefix, prefix]
            .map((each) => upstashRedisStore({ redis: upstash.connect(), prefix: each }));
          return readied(store as Store, peer as Store);
        },
        close: () => upstash.stop(),
      };
    },
  },
];

/**
 * Describes something for each store.
 *
 * @param which Whether stores without transactions are left out; all if not given.
 */
export function describeOnEveryStore(
  what: string,
  tests: (open: OpenStore, traits: StoreTraits) => void,
  which: "all" | "with transactions" = "all",
): void {
  for (const { name, skip, start, ...traits } of KINDS) {
    if (which === "with transactions" && !traits.hasTransactions) continue;
    describe(`${what}: on ${name}`, { skip }, () => {
      let started: Awaited<ReturnType<Kind["start"]>> | undefined;
      before(async () => {
        started = await start();
      });
      after(async () => await started?.close());
      tests(() => {
        if (started === undefined) throw new Error("want a store within a test");
        return started.open();
      }, traits);
    });
  }
}

async function readied(
  store: Store,
  peer: Store,
  after: () => Promise<void> = () => Promise.resolve(),
): Promise<EmptyStore> {
  await Promise.all([store.ready(), peer.ready()]);
  return {
    store,
    peer,
    async close() {
      await Promise.all([store.close(), peer.close()]);
      await after();
    },
  };
}
