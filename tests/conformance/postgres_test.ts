import { pgStore } from "../../adapters/pg/mod.ts";
import { postgresStore } from "../../adapters/postgres/mod.ts";
import { connectPg } from "../support/pg.ts";
import { connect, dropSchema, freshSchema, NO_POSTGRES, postgresUrl } from "../support/postgres.ts";
import type { StoreSubject } from "./store/subject.ts";
import { storeSuite } from "./store_suite.ts";

const url = await postgresUrl();

/** Two pools of one driver, and a store on each. */
type Open = (schema: string) => StoreSubject & { end(): Promise<unknown> };

const DRIVERS: Readonly<Record<string, Open>> = {
  "Postgres": (schema) => {
    const [sql, other] = [connect(url as string), connect(url as string)];
    return {
      store: postgresStore(sql, { schema }),
      peer: postgresStore(other, { schema }),
      end: () => Promise.all([sql.end(), other.end()]),
    };
  },
  "pg": (schema) => {
    const [pool, other] = [connectPg(url as string), connectPg(url as string)];
    return {
      store: pgStore(pool, { schema }),
      peer: pgStore(other, { schema }),
      end: () => Promise.all([pool.end(), other.end()]),
    };
  },
};

for (const [name, open] of Object.entries(DRIVERS)) {
  storeSuite(`${name} store`, {
    unavailable: url === null ? NO_POSTGRES : null,
    capabilities: {
      transactions: true,
      durable: true,
      shared: true,
      deferredSettle: true,
      lazyTransactions: true,
      notifications: true,
    },
    settlesAsLast: true,
    async open() {
      const schema = freshSchema();
      const { store, peer, end } = open(schema);
      await Promise.all([store.ready(), peer.ready()]);
      return {
        subject: { store, peer },
        async close() {
          await Promise.all([store.close(), peer.close()]);
          const sql = connect(url as string, { max: 1 });
          await dropSchema(sql, schema);
          await Promise.all([sql.end(), end()]);
        },
      };
    },
  });
}
