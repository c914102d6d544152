import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { createStatelessApp } from "../../../edge/stateless/mod.ts";
import { inProcessTransport } from "../../../adapters/memory/mod.ts";
import { MAX_BODY_BYTES } from "../../../core/message/message.ts";
import { createBus, type Handler, subscribe } from "../../../mod.ts";
import { Deduct, fixture, Marked, Placed } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";

/** What handlers return by accident: the row of a statement, an ORM's object, a page of a report. */
const VALUES: Readonly<Record<string, () => unknown>> = {
  "a row with a bigint": () => [{ id: 5n }],
  "a cyclic object": () => {
    const row: Record<string, unknown> = {};
    row["self"] = row;
    return row;
  },
  "2 MiB of text": () => "x".repeat(2 * MAX_BODY_BYTES),
  "an object whose toJSON throws": () => ({
    toJSON() {
      throw new Error("no JSON");
    },
  }),
  "a function": () => () => {},
  "a number": () => 7,
};

const ONCE = { kind: "list", delaysMs: [] } as const;

describeOnEveryStore("a return value that nobody wants", (open) => {
  it("is ignored and not kept, and a redelivery runs nothing", async () => {
    const { store, close } = await open();
    try {
      for (const [what, make] of Object.entries(VALUES)) {
        let runs = 0;
        const handler = (() => {
          runs += 1;
          return make();
        }) as unknown as Handler<typeof Placed, unknown>;
        const transport = inProcessTransport();
        const bus = createBus({ store, transport, retry: ONCE, logger: false }, [
          subscribe(Placed, { group: "g" }, handler),
        ]);
        const { id } = await bus.publish(Placed, { n: 1 });
        await bus.flush();
        const record = await store.find("inbox", { id, group: "g" });
        assert.deepEqual([record?.state, record?.reply], ["succeeded", null], what);
        const message = record?.message;
        assert.ok(message !== undefined);
        const [again] = await bus.deliver([message]);
        assert.deepEqual(again, { kind: "handled", duplicate: true, reply: null }, what);
        assert.equal(runs, 1, what);
      }
    } finally {
      await close();
    }
  });
});

describe("a return value that nobody wants", () => {
  it("is ignored in a batch", async () => {
    const { bus, store } = fixture([
      subscribe(
        Placed,
        { group: "g", maxBatch: 10 },
        (() => [{ id: 5n }]) as unknown as () => void,
      ),
    ]);
    await bus.publishMany(Placed, [{ n: 1 }, { n: 2 }]);
    await bus.tick();
    const handled = await store.list({ box: "inbox", limit: 10 });
    assert.deepEqual(handled.map(({ state, reply }) => [state, reply]), [
      ["succeeded", null],
      ["succeeded", null],
    ]);
    await bus.stop();
  });

  it("is ignored if the handler has removed the callback", async () => {
    const { bus, store } = fixture([
      subscribe(
        Placed,
        { group: "g" },
        ((_body: unknown, context: { callback: Remove }) => {
          context.callback.remove();
          return 5n;
        }) as unknown as () => void,
      ),
      subscribe(Marked, { group: "answers" }, () => {}),
    ]);
    const { id } = await bus.publish(Placed, { n: 1 }, { callback: Marked as never });
    await bus.tick();
    const record = await store.find("inbox", { id, group: "g" });
    assert.deepEqual([record?.state, record?.reply], ["succeeded", null]);
    await bus.stop();
  });

  it("is ignored without a store", async () => {
    const app = createStatelessApp(
      [subscribe(Placed, { group: "g" }, (() => 5n) as unknown as () => void)],
      { verify: () => ({ ok: true }), logger: false },
    );
    const response = await app.request("/deliver", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "cap-msg-id": "m-1",
        "cap-msg-name": Placed.name,
      },
      body: '{"n":1}',
    });
    assert.equal(response.status, 200);
  });
});

interface Remove {
  remove(): void;
}

describe("a return value that is wanted and is no JSON", () => {
  it("fails the message if the contract has a reply", async () => {
    const { bus, observed } = fixture(
      [subscribe(Deduct, { group: "g" }, (() => ({ n: 5n })) as never)],
      { retry: ONCE },
    );
    await bus.publish(Deduct, { n: 1 });
    await bus.tick();
    assert.match(observed.all("failed")[0]?.reason ?? "", /reply to "stock.deduct" as JSON/);
    await bus.stop();
  });

  it("fails the message if its publisher wants a callback", async () => {
    const { bus, observed } = fixture([
      subscribe(Placed, { group: "g" }, (() => 5n) as unknown as () => void),
      subscribe(Marked, { group: "answers" }, () => {}),
    ], { retry: ONCE });
    await bus.publish(Placed, { n: 1 }, { callback: Marked as never });
    await bus.tick();
    assert.match(observed.all("failed")[0]?.reason ?? "", /reply to "order.placed" as JSON/);
    await bus.stop();
  });
});
