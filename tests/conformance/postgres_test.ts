import { after } from "node:test";
import { type DriverClient, DRIVERS } from "../support/drivers.ts";
import { freshSchema, NO_POSTGRES, postgresUrl } from "../support/postgres.ts";
import { testStore } from "./test_suites.ts";

const url = await postgresUrl();
/** Kept for all cases: opening a connection takes longer than most of them. */
const clients: DriverClient[] = [];
after(() => Promise.all(clients.map((client) => client.end())));

for (const { name, connect } of DRIVERS) {
  const pair: DriverClient[] = [];
  testStore(`Postgres store on ${name}`, {
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
      if (pair.length === 0) {
        pair.push(connect(url as string), connect(url as string));
        clients.push(...pair);
      }
      const [one, other] = pair as [DriverClient, DriverClient];
      const schema = freshSchema();
      const [store, peer] = [one.store({ schema }), other.store({ schema })];
      await Promise.all([store.ready(), peer.ready()]);
      return {
        subject: { store, peer },
        async close() {
          await Promise.all([store.close(), peer.close()]);
          await one.run(`drop schema if exists "${schema}" cascade`);
        },
      };
    },
  });
}
