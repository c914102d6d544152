import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import type { Message } from "../../../core/message/message.ts";
import type { Store } from "../../../core/ports/store.ts";
import { createBus, defineMessage, failureReport, HEADER, subscribe } from "../../../mod.ts";
import { NonRetryable } from "../../../core/errors.ts";
import { arriving, Deduct, fixture, Marked, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { FakeTransport, SENT } from "../../support/fake_transport.ts";

const Stuck = defineMessage("order.stuck", { body: failureReport });
const NEVER = { kind: "failed", reason: "410 gone", retryable: false } as const;
const headers = { [HEADER.callbackName]: Marked.name, [HEADER.failureCallbackName]: Stuck.name };

/** The rounds of failure callbacks, and of replies whether they say that one came before. */
function told(messages: readonly Message[]): string[] {
  return messages.flatMap(({ name, headers, body }) => {
    if (name === Stuck.name) {
      const { round } = JSON.parse(String(body));
      assert.equal(headers[HEADER.round] ?? "1", String(round));
      return [`failure ${round}`];
    }
    return name === Marked.name ? [`reply ${headers[HEADER.afterFailure] ?? "first"}`] : [];
  });
}

describeOnEveryStore("a message that an operator has tried again", (open) => {
  it("is answered once for each final failure, and then by a reply that says so", async () => {
    const { store, close } = await open();
    try {
      let isBroken = true;
      const transport = new FakeTransport();
      const { bus } = fixture([
        subscribe(Deduct, { group: "stock" }, ({ n }) => {
          if (isBroken) throw new NonRetryable("no");
          return { n, ok: true };
        }),
      ], { store: store as Store<Tx>, transport });
      await bus.deliver([arriving("m", { name: Deduct.name, headers })]);
      await bus.tick();
      for (let round = 2; round <= 3; round++) {
        await bus.retry({ box: "inbox", id: "m", group: "stock" });
        await bus.tick();
      }
      isBroken = false;
      await bus.retry({ box: "inbox", id: "m", group: "stock" });
      await bus.tick();
      await bus.tick();
      assert.deepEqual(told(transport.messages), [
        "failure 1",
        "failure 2",
        "failure 3",
        "reply true",
      ]);
      assert.equal(new Set(transport.ids).size, 4);
      const record = await store.find("inbox", { id: "m", group: "stock" });
      assert.equal(record?.details?.round, 4);
      await bus.stop();
    } finally {
      await close();
    }
  });

  it("and could not be sent before, says so when it arrives, and so does its reply", async () => {
    const { store, close } = await open();
    try {
      const transport = new FakeTransport(({ name }) => name === Deduct.name ? NEVER : SENT);
      const { bus } = fixture([], { store: store as Store<Tx>, transport });
      await bus.publish(Deduct, { n: 1 }, { id: "m", callback: Marked, failureCallback: Stuck });
      await bus.tick();
      await bus.retry({ box: "outbox", id: "m" });
      await bus.tick();
      await bus.tick();
      assert.deepEqual(told(transport.messages), ["failure 1", "failure 2"]);
      transport.sender = () => SENT;
      await bus.retry({ box: "outbox", id: "m" });
      await bus.tick();
      const requests = transport.messages.filter(({ name }) => name === Deduct.name);
      assert.deepEqual(
        requests.map((request) => request.headers[HEADER.afterFailure]),
        [undefined, "true", "true"],
      );
      // Whoever handles it answers so, though nothing failed there.
      const answers = new FakeTransport();
      const receiver = fixture([
        subscribe(Deduct, { group: "stock" }, ({ n }) => ({ n, ok: true })),
      ], { transport: answers });
      await receiver.bus.deliver(requests.slice(-1));
      await receiver.bus.tick();
      assert.deepEqual(told(answers.messages), ["reply true"]);
      await bus.stop();
    } finally {
      await close();
    }
  });
});

describe("a reply after a failure callback", () => {
  it("reaches the publisher with its header, in the handler's hands", async () => {
    const heard: string[] = [];
    let isBroken = true;
    const transport = inProcessTransport();
    const stock = createBus({ store: memoryStore(), transport, service: "stock" }, [
      subscribe(Deduct, { group: "stock" }, ({ n }) => {
        if (isBroken) throw new NonRetryable("no");
        return { n, ok: true };
      }),
    ]);
    const orders = createBus({ store: memoryStore(), transport, service: "orders" }, [
      subscribe(
        Stuck,
        { group: "orders" },
        ({ round, code }) => void heard.push(`${code} ${round}`),
      ),
      subscribe(Marked, { group: "orders" }, (_, { headers }) => {
        heard.push(`marked, after a failure: ${headers[HEADER.afterFailure]}`);
      }),
    ]);
    const { id } = await orders.publish(Deduct, { n: 1 }, {
      callback: Marked,
      failureCallback: Stuck,
    });
    const settle = async () => {
      for (const bus of [orders, stock, orders]) await bus.tick();
    };
    await settle();
    await stock.retry({ box: "inbox", id, group: "stock" });
    await settle();
    isBroken = false;
    await stock.retry({ box: "inbox", id, group: "stock" });
    await settle();
    assert.deepEqual(heard, [
      "handler_failed 1",
      "handler_failed 2",
      "marked, after a failure: true",
    ]);
    await Promise.all([stock.stop(), orders.stop()]);
  });

  it("is no such thing where nobody asked for failure callbacks", async () => {
    let isBroken = true;
    const transport = new FakeTransport();
    const { bus } = fixture([
      subscribe(Deduct, { group: "stock" }, ({ n }) => {
        if (isBroken) throw new NonRetryable("no");
        return { n, ok: true };
      }),
    ], { transport });
    const asked = { [HEADER.callbackName]: Marked.name };
    await bus.deliver([arriving("m", { name: Deduct.name, headers: asked })]);
    isBroken = false;
    await bus.retry({ box: "inbox", id: "m", group: "stock" });
    await bus.tick();
    assert.deepEqual(told(transport.messages), ["reply first"]);
  });
});
