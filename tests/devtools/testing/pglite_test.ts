import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { pgliteStore } from "../../../adapters/pglite/mod.ts";
import { createTestKit } from "../../../devtools/testing/mod.ts";
import { subscribe } from "../../../mod.ts";
import { Deduct, Deducted, OrderPlaced } from "./kit_fixture.ts";

describe("a kit on a store with the user's data", () => {
  for (const mode of ["manual", "inline"] as const) {
    it(`has one effect in mode ${mode}, although a worker dies and an answer is lost`, async () => {
      const db = new PGlite();
      await db.exec("create table stock (qty integer not null); insert into stock values (9)");
      const kit = createTestKit({
        mode,
        store: pgliteStore(db),
        outside: [Deducted, OrderPlaced],
        logger: false,
      }, [
        subscribe(Deduct, { group: "stock" }, async ({ qty }, { tx, publish }) => {
          await tx.query("update stock set qty = qty - $1", [qty]);
          await publish(OrderPlaced, { orderId: qty });
          return { isDone: true };
        }),
      ]);
      const faults = [kit.inject("worker_dies"), kit.inject("answer_lost", { contract: Deduct })];
      await kit.bus.transaction(async (tx) => {
        await tx.query("update stock set qty = qty - 4");
        await kit.bus.publish(Deduct, { qty: 2 }, { tx, callback: Deducted });
      });
      await kit.drained({ withinMs: 60_000 });
      assert.deepEqual(faults.map(({ timesLeft }) => timesLeft), [0, 0]);
      assert.deepEqual((await db.query("select qty from stock")).rows, [{ qty: 3 }]);
      assert.equal((await kit.published(Deducted)).length, 1);
      assert.equal((await kit.published(OrderPlaced)).length, 1);
      await kit.stop();
      await db.close();
    });
  }
});
