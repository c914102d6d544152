import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message } from "../../../core/message/message.ts";
import { createStatelessApp } from "../../../edge/stateless/mod.ts";
import {
  type ConsumeMiddleware,
  defineMessage,
  type HandlerContext,
  HEADER,
  type Schema,
  subscribe,
} from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";

/** Changes all of a message that can be changed. */
function spoil(message: Message): void {
  const { headers, body } = message as { headers: Record<string, string>; body: unknown };
  for (const name of Object.keys(headers)) delete headers[name];
  headers["x-spoilt"] = "yes";
  if (body instanceof Uint8Array) body.fill(9);
  Object.assign(message, { id: "spoilt", name: "spoilt", body: "spoilt" });
}

const anyBytes: Schema<Uint8Array, Uint8Array> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => ({ value: value as Uint8Array }),
  },
};
const Raw = defineMessage(Placed.name, { body: anyBytes });

const seenBy = ({ message }: HandlerContext) => structuredClone(message);
const ONCE_MORE = { kind: "fixed", delayMs: 1_000, maxAttempts: 3 } as const;
const CALLBACK = { [HEADER.callbackName]: Marked.name };

/** Two groups: the first spoils what it is given, and the second sees what it sees. */
function twoGroups(options: { readonly onConsume?: readonly ConsumeMiddleware[] } = {}) {
  const seen: Message[] = [];
  const replies: number[] = [];
  const world = fixture([
    subscribe(Deduct, { group: "a" }, (body, context) => {
      spoil(context.message);
      Object.assign(body, { n: 9 });
      return { n: 1, ok: true };
    }),
    subscribe(Deduct, { group: "b" }, ({ n }, context) => {
      seen.push(seenBy(context));
      return { n, ok: true };
    }),
    subscribe(Marked, { group: "replies" }, ({ n }) => void replies.push(n)),
  ], options as never);
  return { ...world, seen, replies };
}

describe("what one group does to its message", () => {
  for (const isRunning of [false, true]) {
    it(`is not seen by another, delivered to a bus that ${isRunning ? "runs" : "rests"}`, async () => {
      const { bus, seen, replies, observed } = twoGroups();
      if (isRunning) await bus.start();
      const message = arriving("m", { name: Deduct.name, headers: CALLBACK });
      await bus.deliver([message]);
      await observed.until("succeeded", { box: "inbox", group: "b" });
      assert.deepEqual(seen, [arriving("m", { name: Deduct.name, headers: CALLBACK })]);
      if (!isRunning) await bus.tick();
      // The reply of both: that of a too, which deleted the name of its callback from its own copy.
      await observed.until("succeeded", { box: "inbox", group: "replies" }, 2);
      assert.deepEqual(replies, [1, 1]);
      await bus.stop();
    });

    it(`is not seen by another, published in process on a bus that ${isRunning ? "runs" : "rests"}`, async () => {
      const { bus, seen, replies, observed, store } = twoGroups();
      if (isRunning) await bus.start();
      await bus.publish(Deduct, { n: 1 }, { id: "m", callback: Marked });
      if (!isRunning) await bus.tick();
      await observed.until("succeeded", { box: "inbox", group: "b" });
      const sent = await store.find("outbox", { id: "m", group: "" });
      assert.deepEqual(seen, [sent?.message]);
      assert.equal(sent?.message.headers[HEADER.callbackName], Marked.name);
      if (!isRunning) await bus.tick();
      await observed.until("succeeded", { box: "inbox", group: "replies" }, 2);
      assert.deepEqual(replies, [1, 1]);
      await bus.stop();
    });
  }

  it("is not seen by its own next attempt, nor what a middleware does", async () => {
    const seen: Message[] = [];
    const { bus, clock } = fixture([
      subscribe(Placed, { group: "g", retry: ONCE_MORE }, (_, context) => {
        seen.push(seenBy(context));
        throw new Error("again");
      }),
    ], {
      onConsume: [async (body, context, next) => {
        try {
          return await next(body);
        } finally {
          spoil(context.message);
        }
      }],
    });
    await bus.deliver([arriving("m", { headers: CALLBACK })]);
    clock.advance(1_000);
    await bus.tick();
    assert.deepEqual(seen, Array(2).fill(arriving("m", { headers: CALLBACK })));
  });

  it("is not seen by another in a batch, or without a store", async () => {
    const spoiling = (seen: Message[]) => (_: unknown, context: HandlerContext) => {
      seen.push(seenBy(context));
      spoil(context.message);
    };
    const seen: Message[] = [];
    const app = createStatelessApp([
      subscribe(Placed, { group: "a" }, spoiling(seen)),
      subscribe(Placed, { group: "b" }, spoiling(seen)),
    ], { service: "s", verify: () => ({ ok: true }), transport: new FakeTransport() });
    await app.request("/deliver", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "cap-msg-id": "m",
        "cap-msg-name": Placed.name,
      },
      body: `{"n":1}`,
    });
    assert.equal(seen.length, 2);
    assert.deepEqual(seen[0], seen[1]);
  });

  it("does not reach bytes", async () => {
    const seen: number[][] = [];
    const bytes = { body: Uint8Array.of(1, 2, 3), contentType: "application/octet-stream" };
    const { bus } = fixture([
      subscribe(Raw, { group: "a" }, (body, { message }) => {
        body.fill(9);
        spoil(message);
      }),
      subscribe(Raw, { group: "b" }, (body, { message }) => {
        seen.push([...body], [...message.body as Uint8Array]);
      }),
    ]);
    const given = arriving("m", bytes);
    await bus.deliver([given]);
    assert.deepEqual(seen, [[1, 2, 3], [1, 2, 3]]);
  });
});

it("what a caller does to a message that it delivered is not seen by handlers", async () => {
  const seen: Message[] = [];
  const { bus, observed } = fixture([
    subscribe(Placed, { group: "g" }, (_, context) => void seen.push(seenBy(context))),
  ]);
  await bus.start();
  const message = arriving("m", { headers: { ...CALLBACK } });
  const delivering = bus.deliver([message]);
  spoil(message);
  await delivering;
  await observed.until("succeeded", { box: "inbox", group: "g" });
  assert.deepEqual(seen, [arriving("m", { headers: CALLBACK })]);
  await bus.stop();
});

for (const isRunning of [false, true]) {
  it(`what a transport does to what it is given changes nothing, on a bus that ${isRunning ? "runs" : "rests"}`, async () => {
    const sent: Message[] = [];
    const transport = new FakeTransport((message) => {
      sent.push(structuredClone(message));
      spoil(message);
      return { kind: "failed", reason: "no", retryable: true };
    });
    const { bus, observed, store } = fixture([], { transport });
    const retry = { kind: "fixed", delayMs: 0, maxAttempts: 2 } as const;
    if (isRunning) await bus.start();
    const headers = { ...CALLBACK, [HEADER.failureCallbackName]: "order.stuck" };
    await bus.publish(Raw, new Uint8Array([1, 2]), { id: "a", retry, headers });
    if (!isRunning) await bus.tick();
    await observed.until("failed", { id: "a" });
    const [first, second] = sent.filter(({ id }) => id === "a");
    assert.deepEqual(second, first);
    assert.deepEqual(first?.body, new Uint8Array([1, 2]));
    const told = await store.list({ box: "outbox", limit: 10 });
    assert.equal(told.filter(({ message: { name } }) => name === "order.stuck").length, 1);
    await bus.stop();
  });
}
