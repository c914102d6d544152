import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { verifySignature } from "../../../adapters/http/mod.ts";
import type { Message, MessageBody } from "../../../core/message/message.ts";
import { createApp } from "../../../edge/mod.ts";
import { FakeReceiver } from "../../support/fake_receiver.ts";
import { KEY, send, testMessage, testMessages } from "../../support/http.ts";
import { serve, type TestServer } from "../../support/serve.ts";

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** Content types and bodies, and what arrives where that is not the very same. */
const BODIES: [title: string, contentType: string, body: MessageBody, arrives?: MessageBody][] = [
  ["JSON", "application/json", `{"a": [1, "é😀"] }\r\n`],
  ["JSON with parameters", "application/problem+json; charset=utf-8", `{}`],
  ["JSON that is none", "application/json", `{"a":`],
  ["text with emoji", "text/plain", "👩‍👩‍👧‍👦 漢字 \u0000\u0001\ufffd"],
  ["a byte-order mark", "application/json", "\ufeff{}"],
  ["two byte-order marks", "text/csv", "\ufeff\ufeffa"],
  ["empty text", "application/json", ""],
  ["empty bytes", "application/octet-stream", new Uint8Array()],
  ["every byte", "application/octet-stream", ALL_BYTES],
  ["bytes that are a part of more", "image/png", ALL_BYTES.subarray(100, 203)],
  ["invalid UTF-8 that says it is text", "text/plain", new Uint8Array([0xff, 0xc3, 0x28])],
  ["a surrogate encoded in UTF-8", "text/plain", new Uint8Array([0xed, 0xa0, 0x80])],
  ["UTF-8 that came as bytes", "text/plain", new TextEncoder().encode("\ufeffé"), "\ufeffé"],
  ["UTF-8 that does not say it is text", "image/png", new TextEncoder().encode("é")],
  ["a large body", "text/plain", 'é"\\'.repeat(100_000)],
];

for (const format of ["batch", "message"] as const) {
  describe(`bodies and headers over a real connection, format ${format}`, () => {
    const bus = new FakeReceiver();
    let server: TestServer;
    before(async () => {
      server = await serve(
        createApp(bus, { verify: verifySignature({ signingKeys: [KEY] }) }).fetch,
      );
    });
    after(() => server.close());

    for (const [title, contentType, body, arrives = body] of BODIES) {
      it(title, async () => {
        const message = testMessage({ contentType, body });
        assert.deepEqual(await deliver(message), arrived(message, { body: whole(arrives) }));
      });
    }

    it("headers of every kind", async () => {
      const headers = {
        "cap-callback-name": "order.done",
        "cap-corr-id": "another",
        "cap-corr-seq": "3",
        "atlast-failure-callback-name": "order.failed",
        "cap-odd": `a "b" \\ c; d=e, f:g`,
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        tracestate: "a=1,b=2",
        baggage: "c=3",
      };
      const message = testMessage({ headers });
      assert.deepEqual(await deliver(message), arrived(message, { headers }));
    });

    it("headers that HTTP cannot carry", async () => {
      const headers = { "x-free": "1", cookie: "a=b", "cap-odd": " é 漢 😀 ", "cap-empty": "" };
      const message = testMessage({ id: "ид-漢", headers });
      const got = await deliver(message);
      const all = { "cap-corr-id": "ид-漢", "cap-corr-seq": "0", ...headers };
      assert.deepEqual(got, arrived(message, { headers: all }));
    });

    async function deliver(message: Message): Promise<Message | undefined> {
      const results = await send(`${server.origin}/deliver`, [message], { format });
      assert.deepEqual(results, [{ kind: "sent" }]);
      return bus.delivered.pop();
    }
  });
}

it("a body over the receiver's limit is refused, and does not keep others back", async () => {
  const bus = new FakeReceiver();
  const verify = verifySignature({ signingKeys: [KEY] });
  const server = await serve(createApp(bus, { verify, maxBodyBytes: 2000 }).fetch);
  try {
    const messages = [...testMessages(8), testMessage({ id: "big", body: "x".repeat(300_000) })];
    const results = await send(`${server.origin}/deliver`, messages);
    assert.deepEqual(results.slice(0, 8), Array(8).fill({ kind: "sent" }));
    assert.deepEqual(results[8], {
      kind: "failed",
      code: "too_large",
      retryable: false,
      arrived: "no",
      reason: `${new URL(server.origin).host} answered 413: too_large: ` +
        "Cannot take the body: want 2000 bytes at most",
    });
    assert.deepEqual(
      bus.delivered.map(({ id }) => id).sort(),
      messages.slice(0, 8).map((m) => m.id),
    );
  } finally {
    await server.close();
  }
});

/** A message as its receiver has it: what is implied is written down. */
function arrived(message: Message, part: Partial<Message>): Message {
  const headers = { "cap-corr-id": message.id, "cap-corr-seq": "0" };
  return { ...message, headers, ...part };
}

/** Bytes of their own, to compare with. */
function whole(body: MessageBody): MessageBody {
  return typeof body === "string" ? body : new Uint8Array(body);
}
