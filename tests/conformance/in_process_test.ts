import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inProcessTransport } from "../../adapters/memory/mod.ts";
import type { Message } from "../../core/message/message.ts";
import type { DeliveryResult, Receiver, SendResult } from "../../core/ports/transport.ts";
import {
  REFUSED,
  ROUTED,
  routed,
  routedMany,
  send,
  SENT,
  TestReceiver,
} from "../../devtools/conformance/transport/subject.ts";
import { testTransport } from "./test_suites.ts";

testTransport("in-process transport", {
  open(receiver) {
    const transport = inProcessTransport();
    transport.attach(receiver);
    return Promise.resolve({ transport, close: () => transport.close() });
  },
});

describe("in-process transport: several receivers", () => {
  it("each that subscribes gets every message, in one call", async () => {
    const calls: string[][] = [];
    const receivers = [ROUTED, ROUTED, "other"].map((name) => batchReceiver(name, calls));
    const answers = await sendTo(receivers, routedMany(3));
    assert.deepEqual(answers, [SENT, SENT, SENT]);
    assert.deepEqual(calls, [["m-0", "m-1", "m-2"], ["m-0", "m-1", "m-2"]]);
  });

  it("each gets the messages of its own names", async () => {
    const calls: string[][] = [];
    const receivers = ["a", "b"].map((name) => batchReceiver(name, calls));
    const messages = ["a", "b", "c", "a"].map((name, i) => routed(`m-${i}`, { name }));
    const answers = await sendTo(receivers, messages);
    assert.deepEqual(answers.map(({ kind }) => kind), ["sent", "sent", "unroutable", "sent"]);
    assert.deepEqual(calls, [["m-0", "m-3"], ["m-1"]]);
  });

  it("a message is sent only when all took it", async () => {
    const takes = new TestReceiver();
    const refuses = new TestReceiver(({ id }) => id === "m-1" ? REFUSED : { kind: "accepted" });
    const answers = await sendTo([takes, refuses], routedMany(3));
    assert.deepEqual(answers.map(({ kind }) => kind), ["sent", "failed", "sent"]);
  });

  it("one that throws does not keep the others from theirs", async () => {
    const throws = new TestReceiver(() => Promise.reject(new Error("no store")));
    const takes = new TestReceiver();
    const answers = await sendTo([throws, takes], routedMany(1));
    assert.deepEqual(answers, [{ kind: "failed", reason: "no store", retryable: true }]);
    assert.equal(takes.messages.length, 1);
  });

  it("one that no longer subscribes does not count", async () => {
    const gone = new TestReceiver(() => ({ kind: "no_subscriber" }));
    assert.deepEqual(await sendTo([gone, new TestReceiver()], routedMany(1)), [SENT]);
  });

  it("each gets bytes of its own", async () => {
    const changes = new TestReceiver(({ body }) => {
      (body as Uint8Array).fill(0);
      return { kind: "accepted" };
    });
    const reads = new TestReceiver();
    const body = Uint8Array.of(1, 2, 3);
    await sendTo([changes, reads], [routed("m-1", { body })]);
    assert.deepEqual([body, reads.messages[0]?.body], [body, Uint8Array.of(1, 2, 3)]);
  });

  it("one that was closed gets nothing more", async () => {
    const transport = inProcessTransport();
    const [closed, open] = [new TestReceiver(), new TestReceiver()];
    transport.attach(closed);
    transport.attach(open);
    await transport.close(closed);
    assert.deepEqual(await send(transport, routedMany(1)), [SENT]);
    assert.deepEqual([closed.messages.length, open.messages.length], [0, 1]);
    await transport.close(open);
    assert.equal(transport.routes(ROUTED), false);
  });
});

function sendTo(
  receivers: readonly Receiver[],
  messages: readonly Message[],
): Promise<SendResult[]> {
  const transport = inProcessTransport();
  for (const receiver of receivers) transport.attach(receiver);
  return send(transport, messages);
}

/** Takes messages of one name, and remembers which came together. */
function batchReceiver(name: string, calls: string[][]): Receiver {
  return {
    subscribes: (subscribed) => subscribed === name,
    deliver(messages): Promise<DeliveryResult[]> {
      calls.push(messages.map(({ id }) => id));
      return Promise.resolve(messages.map(() => ({ kind: "accepted" })));
    },
  };
}
