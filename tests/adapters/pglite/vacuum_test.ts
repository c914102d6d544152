import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { pgliteStore } from "../../../adapters/pglite/mod.ts";
import { NOW, recordsOf } from "../../../devtools/conformance/store/subject.ts";
import { newPglite } from "../../support/pglite.ts";

const db = await newPglite();
after(() => db.close());

/** How many records are added and pruned in a round. */
const RECORDS = 1_000;

describe("pruning on PGlite", () => {
  for (const box of ["outbox", "inbox"] as const) {
    it(`leaves the space of deleted records of the ${box} for new ones, though nothing vacuums`, async () => {
      const store = pgliteStore(db);
      await store.ready();
      const sizes: number[] = [];
      for (let round = 0; round < 4; round++) {
        const records = recordsOf(`round-${round}`, RECORDS).map((record) => ({
          ...record,
          group: box === "inbox" ? "g" : "",
          state: "succeeded" as const,
          expiresAtMs: NOW,
        }));
        await store.add(box, records, NOW);
        assert.equal(await store.prune(box, NOW + 1, RECORDS), RECORDS);
        const { rows } = await db.query<{ bytes: number }>(
          `select pg_total_relation_size('atlast.${box}')::float8 as bytes`,
        );
        sizes.push(rows[0]?.bytes ?? 0);
      }
      const [first = 0] = sizes;
      assert.ok(first > 0);
      assert.ok(sizes.every((size) => size <= 1.5 * first), `sizes after each round: ${sizes}`);
    });
  }
});
