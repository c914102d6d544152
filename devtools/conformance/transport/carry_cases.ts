/**
 * What arrives: every message, as it was.
 *
 * @module
 */
import assert from "node:assert/strict";
import { HEADER } from "../../../core/message/headers.ts";
import { MAX_ID_LENGTH } from "../../../core/message/id.ts";
import { isText, type Message, type MessageBody } from "../../../core/message/message.ts";
import { BODIES } from "../bodies.ts";
import {
  ROUTED,
  routed,
  routedMany,
  send,
  SENT,
  TestReceiver,
  type TransportCases,
  type TransportSubject,
} from "./subject.ts";

const bodies: TransportCases = Object.fromEntries(
  Object.entries(BODIES).map(([name, [contentType, body]]) => [
    `a body arrives byte for byte: ${name}`,
    async (subject) => {
      const arrived = await carried(subject, routed("m-1", { contentType, body }));
      assert.equal(arrived.contentType, contentType);
      assert.deepEqual(bytesOf(arrived.body), bytesOf(body));
      // Bytes that say they are text may arrive as the text they are.
      if (typeof body === "string" || !isText(contentType)) {
        assert.equal(typeof arrived.body, typeof body);
      }
    },
  ]),
);

/** How messages arrive. */
export const carryCases: TransportCases = {
  ...bodies,

  "the largest body arrives": async ({ start }) => {
    const receiver = new TestReceiver();
    const transport = await start(receiver);
    const body = "a".repeat(transport.capabilities.maxBodyBytes);
    const message = routed("m-1", { body, contentType: "text/plain" });
    assert.deepEqual(await send(transport, [message]), [SENT]);
    assert.equal(receiver.messages[0]?.body, body);
  },

  "id, name, time and headers arrive as they were": async (subject) => {
    const message = routed("m-1", {
      headers: {
        "cap-callback-name": "order.mark.status",
        "cap-corr-id": "m-0",
        "cap-corr-seq": "1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "x-quotes": `it's "quoted" \\ {a,b} 100%`,
        "x-scripts": "Grüße 日本語 👍",
      },
    });
    const arrived = await carried(subject, message);
    assert.deepEqual([arrived.id, arrived.name, arrived.sentAtMs], [
      message.id,
      ROUTED,
      message.sentAtMs,
    ]);
    for (const [name, value] of Object.entries(message.headers)) {
      assert.equal(arrived.headers[name], value, name);
    }
  },

  "when it was first sent arrives, and that it is forced": async (subject) => {
    const firstAttemptAtMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
    const late = await carried(subject, routed("m-1", { firstAttemptAtMs, isForced: true }));
    assert.deepEqual([late.firstAttemptAtMs, late.isForced], [firstAttemptAtMs, true]);
    assert.ok(!(HEADER.firstAttempt in late.headers) && !(HEADER.forced in late.headers));
  },

  "ids of every kind arrive": async ({ start }) => {
    const receiver = new TestReceiver();
    const transport = await start(receiver);
    const odd = [
      "a b",
      `it's "a" \\ b`,
      "Ünïcode 日本語 👍",
      "a,b;c=d",
      "%41",
      "x".repeat(MAX_ID_LENGTH),
    ];
    const messages = odd.map((id) => routed(id));
    assert.deepEqual(await send(transport, messages), messages.map(() => SENT));
    assert.deepEqual(receiver.messages.map(({ id }) => id).sort(), [...odd].sort());
  },

  "as many messages as a batch may have arrive, each once": async ({ start }) => {
    const receiver = new TestReceiver();
    const transport = await start(receiver);
    const messages = routedMany(Math.min(transport.capabilities.maxBatch, 1_000));
    assert.deepEqual(await send(transport, messages), messages.map(() => SENT));
    assert.deepEqual(
      receiver.messages.map(({ id }) => id).sort(),
      messages.map(({ id }) => id).sort(),
    );
  },

  "what is sent is not changed": async ({ start }) => {
    const transport = await start(new TestReceiver());
    const message = routed("m-1", { headers: { "x-a": "1" }, body: Uint8Array.of(1, 2) });
    const before = structuredClone(message);
    await send(transport, [message]);
    assert.deepEqual(message, before);
  },

  "no messages make no results": async ({ start }) => {
    assert.deepEqual(await send(await start(new TestReceiver()), []), []);
  },
};

async function carried({ start }: TransportSubject, message: Message): Promise<Message> {
  const receiver = new TestReceiver();
  const transport = await start(receiver);
  assert.deepEqual(await send(transport, [message]), [SENT]);
  assert.equal(receiver.messages.length, 1);
  return receiver.messages[0] as Message;
}

function bytesOf(body: MessageBody): number[] {
  return [...typeof body === "string" ? new TextEncoder().encode(body) : body];
}
