import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTestKit } from "../../../devtools/testing/mod.ts";
import { failureReport, subscribe } from "../../../mod.ts";
import { defineMessage } from "../../../mod.ts";
import { Dated, Deduct, Deducted, errorOf, OrderPlaced } from "./kit_fixture.ts";

const Stuck = defineMessage("order.stuck", { body: failureReport });

describe("published", () => {
  it("has the messages of a contract in their order, with what they were published with", async () => {
    const kit = createTestKit({ outside: ["#"] });
    await kit.bus.publish(OrderPlaced, { orderId: 2 }, { id: "b" });
    await kit.bus.publish(OrderPlaced, { orderId: 1 }, {
      id: "a",
      headers: { tenant: "t1" },
      delayMs: 5_000,
      deadlineMs: 9_000,
      callback: Deducted,
      failureCallback: Stuck,
    } as never);
    await kit.bus.publish(Deduct, { qty: 1 });
    const [first, second, ...rest] = await kit.published(OrderPlaced);
    assert.deepEqual(rest, []);
    assert.deepEqual(first, {
      id: "b",
      name: "order.placed",
      body: { orderId: 2 },
      headers: {},
      delayMs: 0,
      deadlineMs: null,
      callback: null,
      failureCallback: null,
    });
    // The type of the body is that of the contract.
    const orderId: number | undefined = second?.body.orderId;
    assert.equal(orderId, 1);
    assert.deepEqual(
      { ...second, headers: second?.headers["tenant"], body: null },
      {
        id: "a",
        name: "order.placed",
        body: null,
        headers: "t1",
        delayMs: 5_000,
        deadlineMs: 9_000,
        callback: "stock.deducted",
        failureCallback: "order.stuck",
      },
    );
    assert.deepEqual((await kit.published()).map(({ name }) => name), [
      "order.placed",
      "order.placed",
      "stock.deduct",
    ]);
    await kit.stop();
  });

  it("has only what was committed, and each id once", async () => {
    const kit = createTestKit({ outside: ["#"] });
    const failing = kit.bus.transaction(async (tx) => {
      await kit.bus.publish(OrderPlaced, { orderId: 1 }, { tx });
      throw new Error("no");
    });
    await assert.rejects(failing, /^Error: no$/);
    for (let i = 0; i < 2; i++) await kit.bus.publish(OrderPlaced, { orderId: 2 }, { id: "same" });
    assert.deepEqual((await kit.published(OrderPlaced)).map(({ id }) => id), ["same"]);
    await kit.stop();
  });

  it("has replies, and what handlers publish, however much later it is read", async () => {
    const kit = createTestKit({ outside: ["#"] }, [
      subscribe(Deduct, { group: "stock" }, async ({ qty }, { publish }) => {
        await publish(OrderPlaced, { orderId: qty });
        return { isDone: true };
      }),
    ]);
    await kit.bus.publish(Deduct, { qty: 3 }, { callback: Deducted });
    await kit.advance(30 * 24 * 60 * 60_000);
    assert.deepEqual((await kit.published(Deducted)).map(({ body }) => body), [{ isDone: true }]);
    assert.deepEqual((await kit.published(OrderPlaced)).map(({ body }) => body), [{ orderId: 3 }]);
    await kit.stop();
  });

  it("has what was published to groups of a shared store, once", async () => {
    const kit = createTestKit({ sharedStore: true }, [
      subscribe(OrderPlaced, { group: "mail" }, () => {}),
      subscribe(OrderPlaced, { group: "stock" }, () => {}),
    ]);
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    assert.deepEqual((await kit.published(OrderPlaced)).map(({ body }) => body), [{ orderId: 1 }]);
    await kit.drained();
    assert.equal((await kit.published(OrderPlaced)).length, 1);
    await kit.stop();
  });

  it("has not what the service received", async () => {
    const orders = createTestKit();
    const stock = createTestKit({ world: orders.world }, [
      subscribe(OrderPlaced, { group: "stock" }, () => {}),
    ]);
    await orders.bus.publish(OrderPlaced, { orderId: 1 });
    await orders.drained();
    assert.deepEqual(await stock.published(), []);
    await stock.stop();
    await orders.stop();
  });

  it("decodes a body as a subscriber gets it", async () => {
    const kit = createTestKit({ outside: ["#"] });
    await kit.bus.publish(Dated, "2026-01-02T03:04:05Z");
    const [message] = await kit.published(Dated);
    assert.ok(message?.body instanceof Date);
    assert.equal((await kit.published())[0]?.body, "2026-01-02T03:04:05Z");
    await kit.assertPublished(Dated, new Date("2026-01-02T03:04:05Z"));
    await kit.assertNotPublished(Dated, new Date(0));
    await kit.stop();
  });
});

describe("assertPublished", () => {
  it("returns the first message that has the expected part, or of which the function says so", async () => {
    const kit = createTestKit({ outside: ["#"] });
    await kit.bus.publish(OrderPlaced, { orderId: 1, note: "n" });
    await kit.bus.publish(OrderPlaced, { orderId: 2, note: "n" }, { delayMs: 10 });
    assert.equal((await kit.assertPublished(OrderPlaced)).body.orderId, 1);
    assert.equal((await kit.assertPublished(OrderPlaced, { note: "n" })).body.orderId, 1);
    assert.equal((await kit.assertPublished(OrderPlaced, { orderId: 2 })).delayMs, 10);
    const delayed = await kit.assertPublished(OrderPlaced, ({ delayMs }) => delayMs > 0);
    assert.equal(delayed.body.orderId, 2);
    await kit.stop();
  });

  it("fails with a text that lists what was published", async () => {
    const kit = createTestKit({ outside: ["#"] });
    const none = await errorOf(kit.assertPublished(OrderPlaced));
    assert.equal(
      none.message,
      '"order.placed" was not published, want it published.\nNothing was published.',
    );
    await kit.bus.publish(OrderPlaced, { orderId: 1 }, { id: "a" });
    await kit.bus.publish(Deduct, { qty: 3 }, { id: "b" });
    const other = await errorOf(kit.assertPublished(OrderPlaced, { orderId: 2 }));
    assert.equal(
      other.message,
      '"order.placed" with {"orderId":2} was not published, want it published.\n' +
        'Published:\n  1. order.placed {"orderId":1} (id "a")\n  2. stock.deduct {"qty":3} (id "b")',
    );
    await assert.rejects(kit.assertPublished(Deduct, () => false), /"stock.deduct" that is as/);
    await kit.stop();
  });

  it("takes a part of the contract's body, and the compiler refuses any other", async () => {
    const kit = createTestKit({ outside: ["#"] });
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const wrong = [
      // @ts-expect-error -- a number is expected.
      () => kit.assertPublished(OrderPlaced, { orderId: "1" }),
      // @ts-expect-error -- there is no such field.
      () => kit.assertPublished(OrderPlaced, { order: 1 }),
      // @ts-expect-error -- there is no such field.
      () => kit.assertPublished(OrderPlaced, ({ body }) => body.order === 1),
    ];
    for (const assertion of wrong) await assert.rejects(assertion(), /was not published/);
    await kit.stop();
  });

  it("refuses a value that is no contract", async () => {
    const kit = createTestKit();
    await assert.rejects(kit.assertPublished({ name: "a" } as never), { code: "invalid_option" });
    await kit.stop();
  });
});

describe("assertNotPublished", () => {
  it("fails for a message that was published, and says how often", async () => {
    const kit = createTestKit({ outside: ["#"] });
    await kit.assertNotPublished(OrderPlaced);
    await kit.bus.publishMany(OrderPlaced, [{ orderId: 1 }, { orderId: 2 }]);
    await kit.assertNotPublished(OrderPlaced, { orderId: 3 });
    await assert.rejects(
      kit.assertNotPublished(OrderPlaced, { orderId: 2 }),
      /^Error: "order\.placed" with \{"orderId":2\} was published once, want it never\.\nPublished:/,
    );
    await assert.rejects(kit.assertNotPublished(OrderPlaced), /was published 2 times, want it/);
    await kit.stop();
  });
});

describe("an assertion", () => {
  it("without a contract is refused, and is not about all messages", async () => {
    const kit = createTestKit({ outside: ["#"] });
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await assert.rejects(kit.assertPublished(undefined as never), /assert on what was published/);
    await kit.stop();
  });

  it("with a function that does not return true or false is refused", async () => {
    const kit = createTestKit({ outside: ["#"] });
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    for (const answer of [Promise.resolve(false), undefined, 1, "yes"]) {
      const expected = (() => answer) as never;
      for (const assertion of ["assertPublished", "assertNotPublished"] as const) {
        await assert.rejects(kit[assertion](OrderPlaced, expected), {
          code: "invalid_option",
          message: /^Cannot assert with what the function returned .*: want true or false$/,
        });
      }
    }
    await kit.stop();
  });

  it("on a bigint fails with what was published", async () => {
    const kit = createTestKit({ outside: ["#"] });
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const error = await errorOf(kit.assertPublished(OrderPlaced, { orderId: 1n } as never));
    assert.match(error.message, /1n[^]*Published:/);
    await kit.stop();
  });
});
