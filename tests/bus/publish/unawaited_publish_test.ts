import assert from "node:assert/strict";
import { it } from "node:test";
import type { Store } from "../../../core/ports/store.ts";
import { type HandlerContext, type PublishMiddleware, subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore, type OpenStore } from "../../support/every_store.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Gate, quiet } from "../../support/gate.ts";

const BAD = { n: "no number" } as never;

/** A bus whose publishes of {@linkcode Marked} wait at a gate. */
async function setup(
  open: OpenStore,
  handler: (context: HandlerContext<Tx>) => unknown = () => {},
  together?: number,
) {
  const { store, close } = await open();
  const gate = new Gate();
  const late: PublishMiddleware = async (draft, next) => {
    if (draft.name === Marked.name) await gate.pass();
    return await next(draft);
  };
  const options = { group: "g", retry: { kind: "fixed", delayMs: 0, maxAttempts: 1 } } as const;
  const parts = fixture([
    subscribe<typeof Deduct, Tx>(
      Deduct,
      { ...options, ...(together === undefined ? {} : { maxBatch: together }) },
      async (_, context) => {
        await handler(context);
        return { n: 1, ok: true };
      },
    ),
  ], { store: store as Store<Tx>, transport: new FakeTransport(), onPublish: [late] });
  const published = async () =>
    (await store.list({ box: "outbox", limit: 10 })).map(({ id }) => id).sort();
  return { ...parts, gate, published, close };
}

/** Without `await`, as a program that forgot it. */
function forget(_: Promise<unknown>): void {}

describeOnEveryStore("a publish in bus.transaction that is not awaited", (open) => {
  it("is committed with the transaction", async () => {
    const { bus, published, close } = await setup(open);
    const result = await bus.transaction((tx) => {
      forget(bus.publish(Placed, { n: 1 }, { id: "a", tx }));
      forget(bus.publishMany(Placed, [{ n: 2 }, { n: 3 }], { ids: ["b", "c"], tx }));
      forget(bus.publishRaw({ name: Placed.name, body: "{}", id: "d" }, { tx }));
      return Promise.resolve(7);
    });
    assert.equal(result, 7);
    assert.deepEqual(await published(), ["a", "b", "c", "d"]);
    await close();
  });

  it("is waited for before the commit, however long it takes", async () => {
    const { bus, gate, published, observed, close } = await setup(open);
    let isOver = false;
    const over = bus.transaction((tx) => {
      forget(bus.publish(Marked, { n: 1, ok: true }, { id: "a", tx }));
      return Promise.resolve();
    }).then(() => isOver = true);
    await gate.reached();
    await quiet();
    assert.equal(isOver, false);
    gate.open();
    await over;
    assert.deepEqual(await published(), ["a"]);
    assert.deepEqual(observed.all("published").map(({ id }) => id), ["a"]);
    await close();
  });

  it("fails the transaction when it fails, so that nothing of it is committed", async () => {
    const { bus, published, close } = await setup(open);
    const transactions = [
      // Its failure comes when the work has ended, and while it runs.
      () =>
        bus.transaction(async (tx) => {
          await bus.publish(Placed, { n: 1 }, { id: "business 1", tx });
          forget(bus.publish(Placed, BAD, { tx }));
        }),
      () =>
        bus.transaction(async (tx) => {
          forget(bus.publish(Placed, BAD, { tx }));
          await bus.publish(Placed, { n: 1 }, { id: "business 2", tx });
          await quiet(3);
        }),
    ];
    for (const transaction of transactions) {
      await assert.rejects(transaction, { name: "ContractError" });
    }
    assert.deepEqual(await published(), []);
    await close();
  });

  it("is the work's own affair when it was awaited, and its failure caught", async () => {
    const { bus, published, close } = await setup(open);
    await bus.transaction(async (tx) => {
      await bus.publish(Placed, BAD, { tx }).catch(() => {});
      await assert.rejects(async () => await bus.publish(Placed, BAD, { tx }));
      await bus.publish(Placed, { n: 1 }, { id: "a", tx });
    });
    assert.deepEqual(await published(), ["a"]);
    await close();
  });

  it("is refused when it begins after the work has ended", async () => {
    const { bus, observed, published, close } = await setup(open);
    let kept: Tx | undefined;
    await bus.transaction((tx) => Promise.resolve(kept = tx));
    // Nobody waits for the first one: that must not end the process.
    forget(bus.publish(Placed, { n: 1 }, { id: "a", tx: kept as Tx }));
    await assert.rejects(bus.publish(Placed, { n: 1 }, { id: "a", tx: kept as Tx }), {
      code: "transaction_ended",
    });
    await quiet(2);
    assert.equal(observed.all("error", { during: "publish" }).length, 2);
    assert.deepEqual(await published(), []);
    await close();
  });
}, "with transactions");

describeOnEveryStore("a publish of a handler that is not awaited", (open, { hasTransactions }) => {
  for (const kind of ["by itself", "in a batch"]) {
    const isBatch = kind === "in a batch";
    const messages = ["m-1", "m-2"].slice(0, isBatch ? 2 : 1)
      .map((id) => arriving(id, { name: Deduct.name }));

    it(`is there when the message counts as handled, ${kind}`, async () => {
      const { bus, gate, observed, published, close, store } = await setup(open, (context) => {
        const id = `of ${context.message.id}`;
        forget(context.publish(Marked, { n: 1, ok: true }, { id }));
      }, isBatch ? 10 : undefined);
      await store.add("inbox", messages.map((message) => inboxRecord(message)), 0);
      const ticked = bus.tick();
      await gate.reached();
      await quiet();
      assert.deepEqual(observed.all("succeeded"), []);
      gate.open();
      await ticked;
      assert.equal(observed.all("succeeded", { box: "inbox" }).length, messages.length);
      assert.deepEqual(await published(), messages.map(({ id }) => `of ${id}`));
      await close();
    });

    it(`fails the attempt when it fails, ${kind}`, async () => {
      const { bus, published, close, store } = await setup(open, async (context) => {
        const id = `of ${context.message.id}`;
        if (context.tx !== undefined) await context.publish(Placed, { n: 1 }, { id });
        forget(context.publish(Placed, BAD));
      }, isBatch ? 10 : undefined);
      await store.add("inbox", messages.map((message) => inboxRecord(message)), 0);
      await bus.tick();
      for (const { id } of messages) {
        const record = await store.find("inbox", { id, group: "g" });
        assert.equal(record?.state, "failed");
      }
      assert.deepEqual(await published(), []);
      await close();
    });
  }

  it(
    "is refused in a transaction whose handler has ended",
    { skip: !hasTransactions },
    async () => {
      let publishLate: (() => Promise<unknown>) | undefined;
      const { bus, observed, published, close, store } = await setup(open, ({ publish }) => {
        publishLate = () => publish(Placed, { n: 1 });
      });
      await store.add("inbox", [inboxRecord(arriving("m-1", { name: Deduct.name }))], 0);
      await bus.tick();
      forget((publishLate as () => Promise<unknown>)());
      await assert.rejects(publishLate as () => Promise<unknown>, { code: "transaction_ended" });
      await quiet(2);
      assert.equal(observed.all("error", { during: "publish" }).length, 2);
      assert.deepEqual(await published(), []);
      await close();
    },
  );
});

function inboxRecord(message: ReturnType<typeof arriving>) {
  return {
    id: message.id,
    group: "g",
    message,
    state: "scheduled",
    dueAtMs: 0,
    deadlineMs: null,
    expiresAtMs: null,
    reason: null,
    retry: null,
    details: null,
    leaseUntilMs: null,
  } as const;
}
