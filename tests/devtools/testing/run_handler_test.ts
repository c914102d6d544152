import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { manualClock } from "../../../adapters/memory/mod.ts";
import { runHandler } from "../../../devtools/testing/mod.ts";
import {
  ContractError,
  defineMessage,
  type HandlerContext,
  NonRetryable,
  subscribe,
} from "../../../mod.ts";
import { Dated, Deduct, Deducted, OrderPlaced } from "./kit_fixture.ts";

const deduct = subscribe(Deduct, { group: "stock" }, async ({ qty }, { publish }) => {
  await publish(OrderPlaced, { orderId: qty }, { delayMs: 5 });
  return { isDone: true };
});

describe("runHandler", () => {
  it("returns the reply, and has what the handler published", async () => {
    const run = await runHandler(deduct, { qty: 4 });
    assert.deepEqual(run.reply, { isDone: true });
    const { delayMs } = await run.assertPublished(OrderPlaced, { orderId: 4 });
    assert.equal(delayMs, 5);
    // The publisher wanted no reply.
    assert.deepEqual((await run.published()).map(({ name }) => name), ["order.placed"]);
  });

  it("has the reply among what was published if the publisher wants it", async () => {
    const run = await runHandler(deduct, { qty: 4 }, { callback: Deducted, id: "order-7" });
    const reply = await run.assertPublished(Deducted, { isDone: true });
    assert.equal(reply.headers["cap-corr-id"], "order-7");
  });

  it("gives the handler the context that the test wants", async () => {
    let seen: HandlerContext<{ name: string }> | undefined;
    const subscriber = subscribe<typeof OrderPlaced, { name: string }>(
      OrderPlaced,
      { group: "mail" },
      (_body, context) => void (seen = context),
    );
    const tx = { name: "a transaction" };
    const run = await runHandler(subscriber, { orderId: 1 }, {
      tx,
      id: "order-1",
      attempt: 3,
      headers: { tenant: "t1" },
    });
    assert.equal(run.id, "order-1");
    assert.equal(run.reply, undefined);
    assert.equal(seen?.tx, tx);
    assert.deepEqual([seen?.attempt, seen?.group], [3, "mail"]);
    assert.equal(seen?.message.id, "order-1");
    assert.equal(seen?.message.name, "order.placed");
    assert.equal(seen?.headers["tenant"], "t1");
    assert.equal(seen?.callback.name, null);
    assert.equal(seen?.signal.aborted, false);
  });

  it("passes on what the handler throws", async () => {
    const error = new NonRetryable("no address");
    const subscriber = subscribe(OrderPlaced, { group: "mail" }, () => {
      throw error;
    });
    await assert.rejects(runHandler(subscriber, { orderId: 1 }), (thrown) => thrown === error);
  });

  it("refuses a body, a reply and a publish that do not fit their contracts", async () => {
    await assert.rejects(runHandler(deduct, { qty: "4" }), ContractError);
    const lying = subscribe(Deduct, { group: "stock" }, () => ({ isDone: "yes" }) as never);
    await assert.rejects(runHandler(lying, { qty: 1 }), ContractError);
    const wrong = subscribe(Deduct, { group: "stock" }, async (_body, { publish }) => {
      await publish(OrderPlaced, { orderId: "x" } as never);
      return { isDone: true };
    });
    await assert.rejects(runHandler(wrong, { qty: 1 }), ContractError);
  });

  it("gives the handler the body as it arrives: encoded, decoded and parsed", async () => {
    const seen: unknown[] = [];
    const dated = subscribe(Dated, { group: "g" }, (body) => void seen.push(body));
    await runHandler(dated, "2026-01-02T03:04:05Z");
    assert.ok(seen[0] instanceof Date);
    const given = { orderId: 1 };
    await runHandler(
      subscribe(OrderPlaced, { group: "g" }, (body) => void seen.push(body)),
      given,
    );
    assert.deepEqual(seen[1], given);
    assert.notEqual(seen[1], given);
  });

  it("runs the middleware, and ends the handler by its clock or its signal", async () => {
    const seen: unknown[] = [];
    await runHandler(subscribe(OrderPlaced, { group: "g" }, () => void seen.push("handler")), {
      orderId: 1,
    }, {
      onConsume: [(body, _context, next) => {
        seen.push("middleware");
        return next(body);
      }],
    });
    assert.deepEqual(seen, ["middleware", "handler"]);

    const begun = Promise.withResolvers<void>();
    const hanging = subscribe(OrderPlaced, { group: "g", timeoutMs: 10 }, () => {
      begun.resolve();
      return new Promise<void>(() => {});
    });
    const clock = manualClock();
    const running = runHandler(hanging, { orderId: 1 }, { clock });
    await begun.promise;
    clock.advance(10);
    await assert.rejects(running, { code: "timeout" });

    const reason = new Error("the bus stops");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(
      runHandler(hanging, { orderId: 1 }, { clock, signal }),
      (thrown) => thrown === reason,
    );
  });

  it("records a message that is published twice once", async () => {
    const subscriber = subscribe(OrderPlaced, { group: "g" }, async ({ orderId }, { publish }) => {
      const receipts = [];
      for (let i = 0; i < 2; i++) {
        receipts.push(await publish(Deducted, { isDone: true }, { id: `order-${orderId}` }));
      }
      assert.deepEqual(receipts.map(({ duplicate }) => duplicate), [false, true]);
    });
    const run = await runHandler(subscriber, { orderId: 1 });
    assert.deepEqual((await run.published()).map(({ id }) => id), ["order-1"]);
  });

  it("needs a name for a subscriber with a pattern", async () => {
    const names: string[] = [];
    const Any = defineMessage("order.any", { body: z.object({}) });
    const subscriber = subscribe(Any, { group: "g", pattern: "order.*" }, (_body, { message }) => {
      names.push(message.name);
    });
    await assert.rejects(runHandler(subscriber, {}), { code: "invalid_name" });
    await runHandler(subscriber, {}, { name: "order.placed" });
    assert.deepEqual(names, ["order.placed"]);
  });

  it("refuses a name that its subscriber does not take, and an id that is none", async () => {
    const Any = defineMessage("order.any", { body: z.object({}) });
    const ofOrders = subscribe(Any, { group: "g", pattern: "order.*" }, () => {});
    await assert.rejects(runHandler(ofOrders, {}, { name: "stock.deduct" }), {
      code: "invalid_option",
      message:
        'Cannot run a handler with name "stock.deduct": want one that its subscriber takes: "order.*"',
    });
    await assert.rejects(runHandler(deduct, { qty: 1 }, { name: "order.placed" }), {
      code: "invalid_option",
    });
    for (const id of ["", "a\u0000b", "x".repeat(201)]) {
      await assert.rejects(runHandler(deduct, { qty: 1 }, { id }), { code: "invalid_id" });
    }
    await assert.rejects(
      runHandler(deduct, { qty: 1 }, { callback: { name: "no name" } }),
      { code: "invalid_option" },
    );
  });

  it("refuses what is no subscriber", async () => {
    await assert.rejects(runHandler({} as never, {}), { code: "invalid_option" });
  });
});
