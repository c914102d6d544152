import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { PGlite } from "@electric-sql/pglite";
import { pgliteFence, pgliteStore } from "../../../adapters/pglite/mod.ts";
import { fenceMigrationSql } from "../../../adapters/postgres/mod.ts";
import type { Fence } from "../../../ports.ts";
import { checkBack, NOW } from "../../../devtools/conformance/fence/subject.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { newPglite } from "../../support/pglite.ts";
import { freshSchema } from "../../support/postgres.ts";

describe("the fence on PGlite", () => {
  let db: PGlite;
  before(async () => {
    db = await newPglite();
  });
  after(() => db.close());

  it("a check waits until an open operation has ended, and never cancels it", async () => {
    const fence = pgliteFence(db, { schema: freshSchema() }) as Fence;
    await fence.ready();
    const gate = new Gate();
    const operation = fence.transaction(async (tx) => {
      await fence.commit("m-1", NOW, tx);
      await gate.pass();
    });
    await gate.reached();
    let answer: string | null = null;
    const check = checkBack(fence).then((said) => answer = said);
    await quiet();
    assert.equal(answer, null);
    gate.open();
    await operation;
    assert.equal(await check, "committed");
  });

  it("joins a transaction of the database's own, and rolls back with it", async () => {
    const fence = pgliteFence(db, { schema: freshSchema() }) as Fence;
    await fence.ready();
    await db.transaction((tx) => fence.commit("m-1", NOW, tx));
    assert.equal(await checkBack(fence), "committed");
    const failing = db.transaction(async (tx) => {
      await fence.commit("m-2", NOW, tx);
      throw new Error("declined");
    });
    await assert.rejects(failing, /declined/);
    assert.equal(await checkBack(fence, "m-2"), "aborted");
  });

  it("without the right to migrate: says what to run, and works once it was run", async () => {
    const schema = freshSchema();
    const fence = pgliteFence(db, { schema, migrate: false }) as Fence;
    await assert.rejects(fence.ready(), { code: "not_migrated", message: /fenceMigrationSql/ });
    await db.exec(`begin; ${fenceMigrationSql({ schema })} commit;`);
    await fence.ready();
    assert.equal(await checkBack(fence), "aborted");
  });

  it("lives beside a store in one schema", async () => {
    const schema = freshSchema();
    const [store, fence] = [pgliteStore(db, { schema }), pgliteFence(db, { schema }) as Fence];
    await Promise.all([store.ready(), fence.ready()]);
    assert.equal(await checkBack(fence), "aborted");
    assert.equal(await store.find("outbox", { id: "m-1", group: "" }), null);
    await store.close();
  });
});
