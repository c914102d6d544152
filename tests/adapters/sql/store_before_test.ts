import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { pgliteStore } from "../../../adapters/pglite/mod.ts";
import { migrateOn, STORE } from "../../../adapters/sql/migrate.ts";
import { MIGRATIONS } from "../../../adapters/sql/store_migrations.ts";
import { runOnClient } from "../../../adapters/sql/database.ts";
import { answerKindOf } from "../../../core/message/id.ts";
import { type Bus, createBus, HEADER, NonRetryable, subscribe } from "../../../mod.ts";
import { arriving, Deduct, Marked } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { Observed } from "../../support/observed.ts";
import rows from "./store_before.json" with { type: "json" };

/**
 * `store_before.json` has the rows of a store as the version before this one wrote them, with schema version 2 and
 * answers under UUIDv5 ids: `handled-sent` was handled and its reply sent, `handled-waiting` was handled and its
 * reply waits, `failed` has failed and its failure callback waits, `scheduled` has one failed attempt behind it, and
 * the worker that had `crashed` died. All ask for both callbacks.
 */
async function storeBefore() {
  const db = new PGlite();
  const schema = "atlast";
  await db.transaction((tx) =>
    migrateOn(runOnClient(tx), schema, { ...STORE, steps: MIGRATIONS.slice(0, 2) })
  );
  for (const box of ["outbox", "inbox"] as const) {
    await db.query(
      `insert into ${schema}.${box} select * from json_populate_recordset(null::${schema}.${box}, $1)`,
      [JSON.stringify(rows[box])],
    );
  }
  const clock = new ManualClock();
  // After every lease and due time.
  clock.advance(120_000);
  const transport = new FakeTransport();
  const observed = new Observed();
  const runs: string[] = [];
  const parts = { isBroken: false };
  const store = pgliteStore(db);
  const bus: Bus<never> = createBus({
    store,
    transport,
    clock,
    random: () => 0,
    observe: observed.observe,
    service: "stock",
    retry: { kind: "fixed", delayMs: 0, maxAttempts: 3 },
  }, [
    subscribe(Deduct, { group: "stock" }, ({ n }, { message }) => {
      runs.push(message.id);
      if (parts.isBroken) throw new NonRetryable("still down");
      return { n, ok: true };
    }),
  ]) as Bus<never>;
  const close = async () => {
    await bus.stop();
    await db.close();
  };
  const answersTo = (id: string) =>
    transport.messages.filter(({ headers }) => headers[HEADER.correlationId] === id);
  return { bus, store, clock, transport, observed, runs, parts, answersTo, close };
}

const headers = {
  [HEADER.callbackName]: Marked.name,
  [HEADER.failureCallbackName]: "order.stuck",
};

describe("a store that the version before wrote", () => {
  it("answers what was handled there from its record, and publishes no second reply", async () => {
    const { bus, runs, answersTo, close } = await storeBefore();
    for (const id of ["handled-sent", "handled-waiting"]) {
      const [result] = await bus.deliver([arriving(id, { name: Deduct.name, headers })]);
      assert.deepEqual(result, {
        kind: "handled",
        duplicate: true,
        reply: JSON.stringify({ n: 1, ok: true }),
      });
    }
    await bus.tick();
    assert.ok(!runs.includes("handled-sent") && !runs.includes("handled-waiting"));
    assert.deepEqual(answersTo("handled-sent"), []);
    // It was in the outbox, under the id it had there, and is sent once.
    const [waiting, ...more] = answersTo("handled-waiting");
    assert.deepEqual(more, []);
    assert.equal(answerKindOf(waiting?.id ?? ""), null);
    assert.equal(waiting?.headers[HEADER.responder], undefined);
    await close();
  });

  it("has what was not handled there handled and answered once", async () => {
    const { bus, runs, answersTo, close } = await storeBefore();
    await bus.tick();
    await bus.tick();
    assert.deepEqual(runs.toSorted(), ["crashed", "scheduled"]);
    for (const id of ["crashed", "scheduled"]) {
      const answers = answersTo(id);
      assert.deepEqual(answers.map(({ name }) => name), [Marked.name]);
      assert.equal(answerKindOf(answers[0]?.id ?? ""), "reply");
      // Nobody was told of a failure before.
      assert.equal(answers[0]?.headers[HEADER.afterFailure], undefined);
    }
    await close();
  });

  it("has what failed there tried again in a second round", async () => {
    const { bus, store, answersTo, parts, close } = await storeBefore();
    const key = { id: "failed", group: "stock" };
    parts.isBroken = true;
    await bus.retry({ box: "inbox", ...key });
    await bus.tick();
    parts.isBroken = false;
    await bus.retry({ box: "inbox", ...key });
    await bus.tick();
    const [first, second, reply, ...more] = answersTo("failed");
    assert.deepEqual(more, []);
    assert.equal(answerKindOf(first?.id ?? ""), null, "the word of the version before");
    assert.equal(answerKindOf(second?.id ?? ""), "failure");
    assert.equal(JSON.parse(String(second?.body)).round, 2);
    assert.equal(answerKindOf(reply?.id ?? ""), "reply");
    assert.equal(reply?.headers[HEADER.afterFailure], "true");
    assert.equal((await store.find("inbox", key))?.state, "succeeded");
    await close();
  });
});
