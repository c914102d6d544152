import { after, describe } from "node:test";
import type { Transaction } from "@electric-sql/pglite";
import { pgliteStore } from "../../../adapters/pglite/mod.ts";
import { tellStory } from "../../support/database_story.ts";
import { newPglite } from "../../support/pglite.ts";
import { freshSchema } from "../../support/postgres.ts";

const db = await newPglite();

describe("bus on PGlite", () => {
  after(() => db.close());

  tellStory<Transaction>(async () => {
    const schema = freshSchema();
    const store = pgliteStore(db, { schema });
    await store.ready();
    await db.exec(`create table "${schema}".business (n int)`);
    return {
      store,
      insert: (tx, n) => tx.query(`insert into "${schema}".business values ($1)`, [n]),
      begin: (work) => db.transaction(work),
      async rows() {
        const found = await db.query<{ n: number }>(
          `select n from "${schema}".business order by n`,
        );
        return found.rows.map(({ n }) => n);
      },
      async close() {
        await store.close();
        await db.exec(`drop schema "${schema}" cascade`);
      },
    };
  });
});
