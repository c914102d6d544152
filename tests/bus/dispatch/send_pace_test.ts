import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import { SendPace } from "../../../bus/dispatch/send_pace.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import type { Settings } from "../../../bus/settings/settings.ts";
import type { Store } from "../../../core/ports/store.ts";
import type { BusOptions } from "../../../mod.ts";
import { arriving, fixture, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { FakeTransport, SENT } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { PUBLISHING } from "../../support/publishing.ts";
import { NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withSchema } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);
const COUNT = 60;
const BATCH = 10;
const AT_ONCE = 2;

/** A bus whose sends wait at a gate, in batches of ten. */
function slow(store: Store, clock: ManualClock, options: Partial<BusOptions<Tx>> = {}) {
  const gate = new Gate();
  const send = async () => {
    await gate.pass();
    return SENT;
  };
  const transport = new FakeTransport(send, BATCH);
  const own = fixture([], { ...options, clock, transport, store: store as Store<Tx> });
  return { ...own, gate, transport };
}

describeOnEveryStore("bus: two workers of one outbox", (open) => {
  it("share it when sends are slow: each claims what it is about to send", async () => {
    const { store, peer, close } = await open();
    try {
      const clock = new ManualClock();
      const all = Array.from({ length: COUNT }, (_, i) => newRecord(arriving(`m-${i}`), {}));
      await store.add("outbox", all, NOW_MS);
      const workers = [slow(store, clock), slow(peer, clock)];
      for (const { bus, gate } of workers) {
        await bus.start();
        await gate.reached(AT_ONCE * BATCH);
      }
      const claimed = (await store.list({ box: "outbox", limit: 100 }))
        .filter(({ leaseUntilMs }) => leaseUntilMs !== null);
      assert.equal(claimed.length, 2 * AT_ONCE * BATCH);
      // Their sends turn out to be slow.
      clock.advance(1_000);
      for (const { gate } of workers) gate.open();
      const [first, second] = workers as [typeof workers[0], typeof workers[0]];
      await Promise.all(workers.map(({ bus }) => bus.tick()));
      const shares = workers.map(({ transport }) => transport.messages.length);
      assert.equal(shares.reduce((sum, share) => sum + share), COUNT);
      assert.ok(Math.min(...shares) >= AT_ONCE * BATCH, `${shares.join(" and ")}`);
      await Promise.all([first.bus.stop(), second.bus.stop()]);
    } finally {
      await close();
    }
  });
});

const BODIES = Array.from({ length: COUNT }, (_, n) => ({ n }));
describe("bus: two workers of one outbox on one Postgres", { skip }, () => {
  for (const [title, publish] of Object.entries(PUBLISHING)) {
    it(`share what one of them publishes ${title}`, () =>
      withSchema(async (sql, schema) => {
        // Their clocks stand still, so that only a notification brings the second one to look.
        const [first, second] = [1, 2].map(() =>
          slow(postgresStore(sql, { schema }) as unknown as Store, new ManualClock())
        ) as [ReturnType<typeof slow>, ReturnType<typeof slow>];
        await Promise.all([first.bus.start(), second.bus.start()]);
        // Then it sleeps.
        await second.bus.tick();
        await publish(first.bus, BODIES);
        for (const { gate } of [first, second]) await gate.reached(AT_ONCE * BATCH);
        for (const { gate } of [first, second]) gate.open();
        await Promise.all([first.bus.stop(), second.bus.stop()]);
      }));
  }
});

describe("how many messages are claimed for sending", () => {
  const pace = (batchSize: number, maxBatch: number) => {
    const clock = new ManualClock();
    const transport = new FakeTransport(undefined, maxBatch);
    const measured = new SendPace({ clock, batchSize, transport } as unknown as Settings<Tx>);
    /** What is claimed and what one call sends, after sends of `count` messages that took `ms`. */
    const after = (count: number, ms: number) => {
      for (let i = 0; i < 30; i++) {
        const own = measured.begin(count);
        clock.advance(ms);
        own.end();
      }
      return [measured.capacity, measured.runSize, measured.isSlow];
    };
    return { measured, after };
  };

  it("is a batch of the transport for each call at first", () => {
    const of = (batchSize: number, maxBatch: number) => {
      const { capacity, runSize, isSlow } = pace(batchSize, maxBatch).measured;
      return [capacity, runSize, isSlow];
    };
    assert.deepEqual(of(500, 1_000), [1_000, 500, true]);
    assert.deepEqual(of(500, 100), [200, 100, true]);
  });

  it("is as many full batches as before when sends are quick", () => {
    for (const maxBatch of [1, 100, 300, 500, 1_000]) {
      assert.deepEqual(pace(500, maxBatch).after(500, 100), [2_000, 500, false], `${maxBatch}`);
    }
  });

  it("is less the slower sends are, in whole batches, and at least one for each call", () => {
    assert.deepEqual(pace(500, 1_000).after(500, 150), [1_500, 500, true]);
    assert.deepEqual(pace(500, 1_000).after(500, 1_000), [1_000, 500, true]);
    assert.deepEqual(pace(500, 100).after(100, 40), [900, 300, true]);
    assert.deepEqual(pace(500, 100).after(100, 1_000), [200, 100, true]);
    assert.deepEqual(pace(500, 1).after(1, 30), [12, 4, true]);
    assert.deepEqual(pace(500, 1).after(1, 1_000), [3, 1, true]);
  });
});
