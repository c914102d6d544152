import { after } from "node:test";
import { pgliteStore } from "../../adapters/pglite/mod.ts";
import { newPglite } from "../support/pglite.ts";
import { freshSchema } from "../support/postgres.ts";
import { testStore } from "./test_suites.ts";

const db = await newPglite();
after(() => db.close());

testStore("PGlite store", {
  capabilities: {
    transactions: true,
    durable: true,
    shared: false,
    deferredSettle: true,
    notifications: true,
  },
  settlesAsLast: true,
  async open() {
    const schema = freshSchema();
    const [store, peer] = [pgliteStore(db, { schema }), pgliteStore(db, { schema })];
    await Promise.all([store.ready(), peer.ready()]);
    return {
      subject: { store, peer },
      async close() {
        await Promise.all([store.close(), peer.close()]);
        await db.exec(`drop schema "${schema}" cascade`);
      },
    };
  },
  skip: [{
    reason: "its one connection belongs to the transaction while one is open",
    tests: [
      "what a transaction wrote is not seen from outside before it commits",
      "work may use the store outside its transaction",
    ],
  }],
});
