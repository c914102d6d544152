import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { answerKindOf } from "../../../core/message/id.ts";
import {
  type CallbackControl,
  defineMessage,
  HEADER,
  NonRetryable,
  subscribe,
} from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** A request that asks for a callback, as it comes from elsewhere. */
function request(headers: Record<string, string> = {}, id = "r") {
  return arriving(id, {
    name: Deduct.name,
    headers: { [HEADER.callbackName]: Marked.name, ...headers },
  });
}

/** What comes of a handler that steers its callback. */
function steering(steer: (control: CallbackControl, attempt: number) => void) {
  const transport = new FakeTransport();
  const parts = fixture([
    subscribe(Deduct, { group: "stock" }, ({ n }, { callback, attempt }) => {
      steer(callback, attempt);
      return { n, ok: true };
    }),
  ], { transport });
  return { ...parts, transport };
}

describe("bus: callbacks", () => {
  it("the reply goes to the callback's name, and says what it answers", async () => {
    const { bus, store, transport } = steering(() => {});
    await bus.deliver([
      request({ [HEADER.traceparent]: TRACE, [HEADER.correlationSequence]: "4" }),
    ]);
    await bus.tick();
    const [reply] = transport.messages;
    assert.equal(reply?.name, Marked.name);
    assert.equal(reply?.body, JSON.stringify({ n: 1, ok: true }));
    assert.deepEqual(reply?.headers, {
      [HEADER.correlationId]: "r",
      [HEADER.correlationSequence]: "5",
      [HEADER.group]: "stock",
      [HEADER.responder]: await store.serviceId(),
      [HEADER.traceparent]: TRACE,
    });
  });

  it("a sequence that cannot be read counts as none", async () => {
    for (const sequence of ["x", "-1", "1.5", "1e99"]) {
      const { bus, transport } = steering(() => {});
      await bus.deliver([request({ [HEADER.correlationSequence]: sequence })]);
      await bus.tick();
      assert.equal(transport.messages[0]?.headers[HEADER.correlationSequence], "1");
    }
  });

  it("the round trip: publisher, handler, reply", async () => {
    const replies: unknown[] = [];
    const { bus } = fixture([
      subscribe(Deduct, { group: "stock" }, ({ n }) => ({ n, ok: n < 3 })),
      subscribe(Marked, { group: "orders" }, (reply, { headers }) => {
        replies.push({ ...reply, of: headers[HEADER.correlationId] });
      }),
    ]);
    const { id } = await bus.publish(Deduct, { n: 3 }, { callback: Marked });
    await bus.tick();
    assert.deepEqual(replies, [{ n: 3, ok: false, of: id }]);
  });

  it("no callback is sent that was not asked for", async () => {
    const { bus, store } = steering(() => {});
    await bus.deliver([
      request({ [HEADER.callbackName]: "" }),
      arriving("b", { name: Deduct.name }),
    ]);
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
  });

  it("a handler that returns nothing answers a publisher who asks with an empty body", async () => {
    const transport = new FakeTransport();
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => {})], { transport });
    await bus.deliver([arriving("m", { headers: { [HEADER.callbackName]: "done" } })]);
    await bus.tick();
    assert.deepEqual(transport.messages.map(({ name, body }) => ({ name, body })), [
      { name: "done", body: "" },
    ]);
  });

  it("each group answers by itself, under an id of its own that is always the same", async () => {
    async function answers(): Promise<string[]> {
      const transport = new FakeTransport();
      const { bus } = fixture(
        ["a", "b"].map((group) => subscribe(Deduct, { group }, ({ n }) => ({ n, ok: true }))),
        { transport, service: "stock" },
      );
      await bus.deliver([request(), request({}, "other")]);
      await bus.tick();
      return transport.ids.toSorted();
    }
    const ids = await answers();
    assert.equal(new Set(ids).size, 4);
    assert.deepEqual(await answers(), ids);
    for (const id of ids) assert.equal(answerKindOf(id), "reply");
  });

  it("a request that is handled again, long forgotten, does not send its answer twice", async () => {
    const { bus, transport, clock, observed, store } = steering(() => {});
    transport.unknown.add(Marked.name);
    await bus.deliver([request()]);
    clock.advance(2 * 86_400_000);
    await bus.tick();
    assert.equal(await store.find("inbox", { id: "r", group: "stock" }), null);
    transport.unknown.clear();
    await bus.start();
    await bus.deliver([request()]);
    await observed.until("succeeded", { id: "r" }, 2);
    clock.advance(60_000);
    await observed.until("succeeded", { box: "outbox" });
    await bus.stop();
    assert.equal(transport.ids.length, 1);
    assert.deepEqual(observed.all("stale"), []);
  });

  it("a run whose commit was lost leaves no reply, and the next one leaves one", async () => {
    const { bus, store, transport } = steering(() => {});
    const transaction = store.transaction.bind(store);
    let isLost = true;
    store.transaction = (work) =>
      transaction(async (tx) => {
        const result = await work(tx);
        if (isLost) throw new Error("connection lost");
        return result;
      });
    assert.equal((await bus.deliver([request()]))[0]?.kind, "accepted");
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
    isLost = false;
    await bus.tick();
    assert.equal(transport.ids.length, 1);
  });

  it("a run whose commit went through, but nobody heard of it, is not repeated", async () => {
    const { bus, store, transport, clock, observed } = steering(() => {});
    const transaction = store.transaction.bind(store);
    store.transaction = async (work) => {
      await transaction(work);
      store.transaction = transaction;
      throw new Error("connection lost");
    };
    await bus.start();
    await bus.deliver([request()]);
    await observed.until("succeeded", { box: "inbox", id: "r" });
    await bus.stop();
    const again = fixture([
      subscribe(Deduct, { group: "stock" }, () => assert.fail("handled twice")),
    ], { store, transport, clock });
    assert.equal((await again.bus.deliver([request()]))[0]?.kind, "handled");
    clock.advance(60_000);
    await again.bus.tick();
    assert.equal(transport.ids.length, 1);
  });
});

describe("bus: a handler's choices for its callback", () => {
  it("it adds headers, but not those that say what it answers", async () => {
    const { bus, transport } = steering((callback) => {
      callback.addHeader("Tenant", "a");
      callback.addHeader(HEADER.correlationId, "forged");
      assert.throws(() => callback.addHeader("bad name", "x"), { code: "invalid_header" });
      assert.throws(() => callback.addHeader("x", "a\nb"), { code: "invalid_header" });
    });
    await bus.deliver([request()]);
    await bus.tick();
    const headers = transport.messages[0]?.headers;
    assert.equal(headers?.["tenant"], "a");
    assert.equal(headers?.[HEADER.correlationId], "r");
  });

  it("too many headers fail the message for good", async () => {
    const { bus } = steering((callback) => {
      for (let i = 0; i < 64; i++) callback.addHeader(`h${i}`, "x");
    });
    const [result] = await bus.deliver([request()]);
    assert.ok(result?.kind === "failed");
    assert.match(result.reason, /headers/);
  });

  it("it rewrites or removes the callback", async () => {
    const { bus, transport } = steering((callback, attempt) => {
      assert.equal(callback.name, attempt === 1 ? Marked.name : null);
      callback.rewrite({ name: "order.elsewhere" });
      assert.equal(callback.name, "order.elsewhere");
      assert.throws(() => callback.rewrite({ name: "not a name" }), { code: "invalid_name" });
    });
    await bus.deliver([request()]);
    await bus.tick();
    assert.deepEqual(transport.messages.map(({ name }) => name), ["order.elsewhere"]);
    const silent = steering((callback) => callback.remove());
    await silent.bus.deliver([request()]);
    assert.deepEqual(await silent.store.list({ box: "outbox", limit: 9 }), []);
  });

  it("what it chose in an attempt that failed is forgotten", async () => {
    const { bus, transport } = steering((callback, attempt) => {
      if (attempt > 1) return;
      callback.addHeader("tenant", "a");
      callback.remove();
      throw new Error("once");
    });
    await bus.deliver([request()]);
    await bus.tick();
    assert.deepEqual(transport.messages.map(({ name }) => name), [Marked.name]);
    assert.equal(transport.messages[0]?.headers["tenant"], undefined);
  });

  it("it chains a further callback behind its own", async () => {
    const Thanked = defineMessage("order.thanked", { body: z.string() });
    const Answered = defineMessage(Marked.name, { body: Marked.body, reply: z.string() });
    const seen: unknown[] = [];
    const { bus } = fixture([
      subscribe(Deduct, { group: "stock" }, ({ n }, { callback }) => {
        callback.addHeader(HEADER.callbackName, Thanked.name);
        return { n, ok: true };
      }),
      subscribe(Answered, { group: "orders" }, () => "thanks"),
      subscribe(Thanked, { group: "stock" }, (text, { headers }) => {
        seen.push(text, headers[HEADER.correlationSequence]);
      }),
    ]);
    await bus.publish(Deduct, { n: 1 }, { callback: Marked });
    await bus.tick();
    assert.deepEqual(seen, ["thanks", "2"]);
  });

  it("a failure that is final sends no reply", async () => {
    const { bus, store } = steering(() => {
      throw new NonRetryable("no");
    });
    await bus.deliver([request()]);
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
  });
});
