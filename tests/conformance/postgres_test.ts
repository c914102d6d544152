import { postgresStore } from "../../adapters/postgres/mod.ts";
import { connect, dropSchema, freshSchema, NO_POSTGRES, postgresUrl } from "../support/postgres.ts";
import { testStore } from "./test_suites.ts";

const url = await postgresUrl();

testStore("Postgres store", {
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
    const [sql, other] = [connect(url as string), connect(url as string)];
    const schema = freshSchema();
    const [store, peer] = [postgresStore(sql, { schema }), postgresStore(other, { schema })];
    await Promise.all([store.ready(), peer.ready()]);
    return {
      subject: { store, peer },
      async close() {
        await Promise.all([store.close(), peer.close()]);
        await dropSchema(sql, schema);
        await Promise.all([sql.end(), other.end()]);
      },
    };
  },
});
