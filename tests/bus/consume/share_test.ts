import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import type { Store } from "../../../core/ports/store.ts";
import { type Bus, subscribe } from "../../../mod.ts";
import { arriving, fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { Gate } from "../../support/gate.ts";
import { NOW_MS } from "../../support/manual_clock.ts";
import { PUBLISHING } from "../../support/publishing.ts";
import { NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withSchema } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);
const CONCURRENCY = 5;

function records(prefix: string, count: number, group = "g") {
  return Array.from(
    { length: count },
    (_, i) => newRecord(arriving(`${prefix}-${i}`), { group }),
  );
}

describeOnEveryStore("bus: two workers of one group", (open) => {
  it("share its slow messages: each claims what it is about to work on", async () => {
    const { store, peer, close } = await open();
    try {
      await store.add("inbox", records("m", 60), NOW_MS);
      const gates = [new Gate(), new Gate()];
      const workers = gates.map((gate, i) =>
        fixture([subscribe(Placed, { group: "g", transaction: false }, () => gate.pass())], {
          store: (i === 0 ? store : peer) as Store<Tx>,
          concurrency: CONCURRENCY,
        })
      );
      for (const [i, { bus }] of workers.entries()) {
        await bus.start();
        await gates[i]?.reached(CONCURRENCY);
      }
      const all = await store.list({ box: "inbox", limit: 100 });
      const claimed = all.filter(({ leaseUntilMs }) => leaseUntilMs !== null).length;
      assert.ok(claimed >= 2 * CONCURRENCY && claimed <= 4 * CONCURRENCY, `${claimed} claimed`);
      for (const gate of gates) gate.open();
      await Promise.all(workers.map(({ bus }) => bus.stop()));
    } finally {
      await close();
    }
  });
});

const BODIES = Array.from({ length: 60 }, (_, n) => ({ n }));
describe("bus: two workers of one group on one Postgres", { skip }, () => {
  for (const [title, publish] of Object.entries(PUBLISHING)) {
    it(`share what one of them publishes ${title}`, () =>
      withSchema(async (sql, schema) => {
        const gates = [new Gate(), new Gate()];
        // Their clock stands still, so that only a notification brings the second one to look.
        const [first, second] = gates.map((gate) =>
          fixture([subscribe(Placed, { group: "g", transaction: false }, () => gate.pass())], {
            store: postgresStore(sql, { schema }) as unknown as Store<Tx>,
            concurrency: CONCURRENCY,
            sharedStore: { groups: { [Placed.name]: ["g"] } },
          }).bus
        ) as [Bus<Tx>, Bus<Tx>];
        await first.start();
        await second.start();
        await publish(first, BODIES);
        for (const gate of gates) await gate.reached(CONCURRENCY);
        for (const gate of gates) gate.open();
        await Promise.all([first.stop(), second.stop()]);
      }));
  }
});

describe("bus: the groups of one worker", () => {
  it("share a tick, whatever the backlog of one of them", async () => {
    const handled = { a: 0, b: 0 };
    const { bus, store, clock } = fixture([
      subscribe(Placed, { group: "a" }, () => {
        handled.a += 1;
        clock.advance(50);
      }),
      subscribe(Placed, { group: "b" }, () => void handled.b++),
    ]);
    await store.add("inbox", records("a", 600, "a"), NOW_MS);
    await store.add("inbox", records("b", 1, "b"), NOW_MS + 1);
    const report = await bus.tick({ budgetMs: 1_000 });
    assert.equal(handled.b, 1);
    assert.ok(handled.a < 600, `${handled.a} handled`);
    assert.equal(report.handled, handled.a + handled.b);
  });
});
