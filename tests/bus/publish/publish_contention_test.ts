import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { postgresStore, type TransactionOf } from "../../../adapters/postgres/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { type Bus, type BusOptions, createBus } from "../../../mod.ts";
import type postgres from "postgres";
import { Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { connect, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withSchema } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";
import { NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";

const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);
const ROUNDS = 30;
/** Keys that every bus publishes in each round. */
const SHARED = 60;
/** Publishes of each bus alone that travel along in each round. */
const ALONG = 20;

type PgStore = Store<TransactionOf<postgres.Sql>>;
type PgBus = Bus<TransactionOf<postgres.Sql>>;

interface Rooms {
  readonly sql: postgres.Sql;
  readonly schema: string;
  readonly stores: readonly [PgStore, PgStore];
  readonly buses: readonly [PgBus, PgBus];
}

/** Two buses on one schema, each with a pool of its own, as two processes have. */
async function withTwo(
  test: (rooms: Rooms) => Promise<void>,
  { sharedStore = false, deadlockMs = 20 }: Pick<BusOptions, "sharedStore"> & {
    /** After what time a statement that waits looks for a deadlock, once. */
    readonly deadlockMs?: number;
  } = {},
): Promise<void> {
  const options = { connection: { deadlock_timeout: deadlockMs } };
  await withSchema(async (first, schema) => {
    const second = connect(await postgresUrl() as string, options);
    const stores = [postgresStore(first, { schema }), postgresStore(second, { schema })] as const;
    const buses = [
      createBus({ store: stores[0], sharedStore, transport: new FakeTransport() }),
      createBus({ store: stores[1], sharedStore, transport: new FakeTransport() }),
    ] as const;
    try {
      for (const store of stores) await store.ready();
      await test({ sql: first, schema, stores, buses });
    } finally {
      for (const bus of buses) await bus.stop();
      await second.end();
    }
  }, options);
}

function keysOf(round: number): string[] {
  return Array.from({ length: SHARED }, (_, i) => `${round}-${String(i).padStart(3, "0")}`);
}

describe("publishing the same messages in opposite order", { skip }, () => {
  const each = {
    "through single publishes": (bus: PgBus, ids: readonly string[]) =>
      ids.map((id) => bus.publish(Placed, { n: 1 }, { id })),
    "through publishMany": (bus: PgBus, ids: readonly string[]) => [
      bus.publishMany(Placed, ids.map(() => ({ n: 1 })), { ids }),
      bus.publishMany(Placed, ids.map(() => ({ n: 1 })), { ids: ids.toReversed() }),
    ],
  };
  for (const [how, publish] of Object.entries(each)) {
    it(`${how} rejects none, and none that travels along`, () =>
      withTwo(async ({ buses, stores: [store] }) => {
        for (let round = 0; round < ROUNDS; round++) {
          const ids = keysOf(round);
          const results = await Promise.allSettled(buses.flatMap((bus, which) => [
            ...publish(bus, which === 0 ? ids : ids.toReversed()),
            ...Array.from({ length: ALONG }, () => bus.publish(Placed, { n: 2 })),
            ...Array.from(
              { length: ALONG },
              (_, i) => bus.publish(Placed, { n: 3 }, { id: `along-${which}-${round}-${i}` }),
            ),
          ]));
          const rejected = results.filter(({ status }) => status === "rejected");
          assert.deepEqual(rejected, []);
        }
        const { scheduled } = await store.count("outbox");
        assert.equal(scheduled, ROUNDS * (SHARED + 2 * 2 * ALONG));
      }));
  }

  it("to groups of the shared store rejects none", () =>
    withTwo(
      async ({ buses, stores: [store] }) => {
        for (let round = 0; round < ROUNDS; round++) {
          const ids = keysOf(round);
          await Promise.all(buses.map((bus, which) =>
            bus.publishMany(Placed, ids.map(() => ({ n: 1 })), {
              ids: which === 0 ? ids : ids.toReversed(),
            })
          ));
        }
        assert.equal((await store.count("inbox")).scheduled, ROUNDS * SHARED * 2);
      },
      {
        sharedStore: { groups: { [Placed.name]: ["z", "a"] } },
      },
    ));

  it("is done again where a transaction of someone else makes a deadlock of it", () =>
    withTwo(async ({ sql, schema, buses: [bus], stores: [store] }) => {
      let batch: Promise<unknown> | undefined;
      await sql.begin(async (tx) => {
        // This transaction has a message that the batch waits for, and then wants one the batch has.
        await tx`set local deadlock_timeout = '10s'`;
        await bus.publish(Placed, { n: 1 }, { id: "b", tx });
        batch = Promise.all(["a", "b", "c"].map((id) => bus.publish(Placed, { n: 1 }, { id })));
        await untilOneWaits(sql, schema);
        await bus.publish(Placed, { n: 1 }, { id: "a", tx });
      });
      await batch;
      assert.equal((await store.count("outbox")).scheduled, 3);
    }, { deadlockMs: 500 }));
});

describe("arriving messages that may be known, in opposite order", { skip }, () => {
  it("are taken by both, each once", () =>
    withTwo(async ({ stores }) => {
      for (let round = 0; round < ROUNDS; round++) {
        const ids = keysOf(round);
        const known = await Promise.all(stores.map((store, which) =>
          store.addUnlessKnown(
            (which === 0 ? ids : ids.toReversed()).map((id) => ({
              record: recordOf(id, { group: "g" }),
              key: "0".repeat(32),
              sinceMs: null,
            })),
            NOW,
          )
        ));
        const added = known.flat().filter((result) => result.added).length;
        assert.equal(added, SHARED);
      }
    }));
});

/** Resolves when a statement on the schema waits for a lock. */
async function untilOneWaits(sql: postgres.Sql, schema: string): Promise<void> {
  for (;;) {
    const [row] = await sql`
      select count(*)::int as waiting from pg_stat_activity
      where wait_event_type = 'Lock' and query like ${`%${schema}%`} and pid <> pg_backend_pid()`;
    if (row?.["waiting"] > 0) return;
  }
}
