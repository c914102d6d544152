import assert from "node:assert/strict";
import { it } from "node:test";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore, type OpenStore } from "../../support/every_store.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import type { Observed } from "../../support/observed.ts";
import { NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withStore } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const BACK = new Error("rolled back");

/** The events of publishing so far, in order. */
function publishing({ events }: Observed): string[] {
  return events.flatMap((event) =>
    event.kind === "staged" || event.kind === "published" ? [`${event.kind} ${event.id}`] : []
  );
}

async function setup(open: OpenStore, isFailing = false, together?: number) {
  const { store, close } = await open();
  const parts = fixture([
    subscribe<typeof Deduct, Tx>(
      Deduct,
      {
        group: "g",
        retry: { kind: "fixed", delayMs: 0, maxAttempts: 1 },
        ...(together === undefined ? {} : { maxBatch: together }),
      },
      async ({ n }, { publish }) => {
        await publish(Placed, { n }, { id: "of-handler" });
        if (isFailing) throw BACK;
        return { n, ok: true };
      },
    ),
  ], { store: store as Store<Tx>, transport: new FakeTransport() });
  return { ...parts, close };
}

describeOnEveryStore("published and staged", (open) => {
  it("without a transaction a message is published, and a duplicate nothing", async () => {
    const { bus, observed, close } = await setup(open);
    await bus.publish(Placed, { n: 1 }, { id: "a" });
    await bus.publish(Placed, { n: 1 }, { id: "a" });
    await bus.publishMany(Placed, [{ n: 1 }, { n: 1 }, { n: 2 }], { ids: ["a", "b", "b2"] });
    assert.deepEqual(publishing(observed), ["published a", "published b", "published b2"]);
    await close();
  });

  it("in bus.transaction it is staged, and published after the commit", async () => {
    const { bus, observed, store, close } = await setup(open);
    await bus.transaction(async (tx) => {
      await bus.publish(Placed, { n: 1 }, { id: "a", tx });
      await bus.publish(Placed, { n: 1 }, { id: "a", tx });
      await bus.publishMany(Placed, [{ n: 2 }], { ids: ["b"], tx });
      if (store.capabilities.transactions) {
        assert.deepEqual(publishing(observed), ["staged a", "staged b"]);
      }
    });
    const published = publishing(observed).filter((event) => event.startsWith("published"));
    assert.deepEqual(published, ["published a", "published b"]);
    await close();
  });

  it("in bus.transaction that rolls back it is never published", async () => {
    const { bus, observed, store, close } = await setup(open);
    if (store.capabilities.transactions) {
      const work = bus.transaction(async (tx) => {
        await bus.publish(Placed, { n: 1 }, { id: "a", tx });
        throw BACK;
      });
      await assert.rejects(work, BACK);
      assert.deepEqual(publishing(observed), ["staged a"]);
    }
    await close();
  });

  it("in a transaction that others began it is staged alone", async () => {
    const { bus, observed, store, close } = await setup(open);
    if (store.capabilities.transactions) {
      await store.transaction((tx) => bus.publish(Placed, { n: 1 }, { id: "kept", tx }));
      const dropped = store.transaction(async (tx) => {
        await bus.publish(Placed, { n: 1 }, { id: "dropped", tx });
        throw BACK;
      });
      await assert.rejects(dropped, BACK);
      assert.deepEqual(publishing(observed), ["staged kept", "staged dropped"]);
    }
    await close();
  });

  for (const together of [undefined, 10]) {
    const how = together === undefined ? "a handler" : "handlers together";
    it(`of ${how} that succeed it is published after their commit`, async () => {
      const { bus, observed, close } = await setup(open, false, together);
      await bus.deliver([arriving("d", { name: Deduct.name })]);
      await bus.tick();
      const events = publishing(observed);
      assert.equal(events.filter((event) => event === "published of-handler").length, 1);
      assert.equal(events.at(-1), "published of-handler");
      await close();
    });

    it(`of ${how} that fail it is never published`, async () => {
      const { bus, observed, store, close } = await setup(open, true, together);
      await bus.deliver([arriving("d", { name: Deduct.name })]);
      await bus.tick();
      if (store.capabilities.transactions) {
        const events = publishing(observed);
        assert.ok(events.length > 0 && events.every((event) => event === "staged of-handler"));
      }
      await close();
    });
  }
});

const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);

it(
  "what was published in a savepoint that rolls back is never published",
  { skip },
  () =>
    withStore(async ({ sql, schema }) => {
      const { bus, observed } = fixture([], {
        store: postgresStore(sql, { schema }) as unknown as Store<Tx>,
        transport: new FakeTransport(),
      });
      await bus.transaction(async (given) => {
        const tx = given as unknown as {
          savepoint(work: (inner: Tx) => unknown): Promise<unknown>;
        };
        await tx.savepoint(async (inner) => {
          await bus.publish(Marked, { n: 1, ok: true }, { id: "inner", tx: inner });
          throw BACK;
        }).catch(() => {});
        await bus.publish(Placed, { n: 1 }, { id: "outer", tx: given });
      });
      assert.deepEqual(publishing(observed), ["staged inner", "staged outer", "published outer"]);
    }),
);
