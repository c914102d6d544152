import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ConsumeMiddleware, type PublishMiddleware, subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";

function publishing(...onPublish: PublishMiddleware[]) {
  const transport = new FakeTransport();
  return { ...fixture([], { transport, onPublish }), transport };
}

function consuming(handled: unknown[], ...onConsume: ConsumeMiddleware<Tx>[]) {
  return fixture([
    subscribe(Deduct, { group: "g" }, ({ n }) => {
      handled.push(n);
      return { n, ok: true };
    }),
  ], { onConsume });
}

const request = arriving("m", { name: Deduct.name });

describe("bus: middleware around a publish", () => {
  it("runs in order, the first one outermost, and sees the receipt", async () => {
    const order: string[] = [];
    const layer = (name: string): PublishMiddleware => async (draft, next) => {
      order.push(`${name} before`);
      const receipt = await next({ ...draft, headers: { ...draft.headers, [name]: "here" } });
      order.push(`${name} after ${receipt.id}`);
      return receipt;
    };
    const { bus, transport } = publishing(layer("a"), layer("b"));
    await bus.publish(Placed, { n: 1 }, { id: "m", headers: { own: "x" } });
    assert.deepEqual(order, ["a before", "b before", "b after m", "a after m"]);
    await bus.tick();
    assert.deepEqual(transport.messages[0]?.headers, { own: "x", a: "here", b: "here" });
  });

  it("what it makes of a draft is checked like any other", async () => {
    const cases: [PublishMiddleware, string][] = [
      [(draft, next) => next({ ...draft, body: {} }), "invalid_body"],
      [(draft, next) => next({ ...draft, id: "" }), "invalid_id"],
      [(draft, next) => next({ ...draft, name: "no name" }), "invalid_name"],
      [(draft, next) => next({ ...draft, headers: { a: "b\nc" } }), "invalid_header"],
    ];
    for (const [layer, code] of cases) {
      await assert.rejects(publishing(layer).bus.publish(Placed, { n: 1 }), { code });
    }
  });

  it("what is no draft is refused clearly", async () => {
    for (const draft of [null, undefined, 5, "m", []]) {
      const { bus } = publishing((_draft, next) => next(draft as never));
      const error = { code: "invalid_option", message: /draft .*want an object/ };
      await assert.rejects(bus.publish(Placed, { n: 1 }), error);
      await assert.rejects(bus.publishMany(Placed, [{ n: 1 }, { n: 2 }]), error);
      assert.deepEqual(await bus.store.list({ box: "outbox", limit: 10 }), []);
    }
  });

  it("may answer itself, or refuse, and nothing is stored", async () => {
    const receipt = { id: "other", duplicate: true };
    const answering = publishing(() => Promise.resolve(receipt));
    assert.deepEqual(await answering.bus.publish(Placed, { n: 1 }), receipt);
    const refusing = publishing(() => {
      throw new Error("not on Sundays");
    });
    await assert.rejects(refusing.bus.publish(Placed, { n: 1 }), /not on Sundays/);
    for (const { store } of [answering, refusing]) {
      assert.deepEqual(await store.list({ box: "outbox", limit: 1 }), []);
    }
  });

  it("may try again what failed", async () => {
    const { bus, transport } = publishing((draft, next) =>
      next({ ...draft, body: {} }).catch(() => next(draft))
    );
    await bus.publishMany(Placed, [{ n: 1 }, { n: 2 }]);
    await bus.tick();
    assert.equal(transport.ids.length, 2);
  });

  it("surrounds what handlers publish too", async () => {
    const names: string[] = [];
    const { bus } = fixture([
      subscribe(Deduct, { group: "g" }, async (_body, ctx) => {
        await ctx.publish(Placed, { n: 1 });
        return { n: 1, ok: true };
      }),
    ], {
      transport: new FakeTransport(),
      onPublish: [(draft, next) => {
        names.push(draft.name);
        return next(draft);
      }],
    });
    await bus.deliver([request]);
    assert.deepEqual(names, [Placed.name]);
  });
});

describe("bus: middleware around a handler", () => {
  it("runs in order, changes the body, and sees the reply and the transaction", async () => {
    const order: unknown[] = [];
    const layer = (name: string): ConsumeMiddleware<Tx> => async (body, context, next) => {
      order.push(`${name} before`, context.tx.isOpen);
      const reply = await next({ n: (body as { n: number }).n + 1 });
      order.push(`${name} after`);
      return reply;
    };
    const handled: unknown[] = [];
    const { bus } = consuming(handled, layer("a"), layer("b"));
    const [result] = await bus.deliver([request]);
    assert.deepEqual(order, ["a before", true, "b before", true, "b after", "a after"]);
    assert.deepEqual(handled, [3]);
    assert.ok(result?.kind === "handled");
    assert.equal(result.reply, `{"n":3,"ok":true}`);
  });

  it("may answer in place of the handler", async () => {
    const handled: unknown[] = [];
    const { bus } = consuming(handled, () => Promise.resolve({ n: 0, ok: false }));
    const [result] = await bus.deliver([request]);
    assert.deepEqual(result, { kind: "handled", duplicate: false, reply: `{"n":0,"ok":false}` });
    assert.deepEqual(handled, []);
  });

  it("what it answers must fit the contract", async () => {
    const { bus } = consuming([], () => Promise.resolve("nonsense"));
    assert.equal((await bus.deliver([request]))[0]?.kind, "failed");
  });

  it("what it throws, at once or later, fails the attempt", async () => {
    const throwing: ConsumeMiddleware<Tx>[] = [
      () => {
        throw new Error("at once");
      },
      async (body, _context, next) => {
        await next(body);
        throw new Error("later");
      },
    ];
    for (const layer of throwing) {
      const { bus, store } = consuming([], layer);
      assert.equal((await bus.deliver([request]))[0]?.kind, "accepted");
      const record = await store.find("inbox", { id: "m", group: "g" });
      assert.match(record?.reason ?? "", /at once|later/);
      assert.equal(record?.attempts, 1);
    }
  });

  it("may forgive what the handler threw", async () => {
    const { bus } = fixture([
      subscribe(Placed, { group: "g" }, () => {
        throw new Error("gone already");
      }),
    ], { onConsume: [(body, _context, next) => next(body).catch(() => undefined)] });
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "handled");
  });
});
