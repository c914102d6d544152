import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import type { Client } from "@upstash/qstash";
import {
  type Destination,
  virtualQstash,
  type VirtualQstashFixture,
} from "../../support/qstash.ts";
import { QSTASH_ASSUMPTIONS } from "../../../devtools/qstash_emulator/mod.ts";
import { rejectsWith } from "../../support/qstash_errors.ts";

type Bulk = Exclude<Parameters<Client["messages"]["cancel"]>[0], string | string[]>;
type Filter = NonNullable<Bulk["filter"]>;

const URL_A = "https://a.example/p/a?q=1";

describe("client.messages", () => {
  let qstash: VirtualQstashFixture;
  let destination: Destination = () => 200;

  before(async () => {
    qstash = await virtualQstash((delivery, request) => destination(delivery, request));
  });
  after(() => qstash.close());

  async function later(request: Partial<Parameters<typeof qstash.client.publish>[0]> = {}) {
    const { messageId } = await qstash.client.publish({ url: URL_A, delay: 60, ...request } as {
      url: string;
    });
    return messageId;
  }

  const statesOf = async (messageId: string) =>
    (await qstash.client.logs({ messageIds: [messageId] })).logs.map(({ state }) => state)
      .reverse();

  it("get: all there is to it, until shortly after it is delivered", async () => {
    const nowMs = qstash.clock.now();
    const messageId = await later({
      body: "b",
      method: "PATCH",
      retries: 7,
      headers: { "x-my": "1" },
    });
    const { urlGroup, ratePerSecond, ...message } = await qstash.client.messages.get(messageId) as {
      urlGroup?: string;
      ratePerSecond?: number;
    };
    assert.deepEqual([urlGroup, ratePerSecond], [undefined, undefined]);
    assert.deepEqual(message, {
      messageId,
      url: URL_A,
      method: "PATCH",
      header: { "Content-Type": ["text/plain;charset=UTF-8"], "X-My": ["1"] },
      body: "b",
      maxRetries: 7,
      notBefore: nowMs + 60_000,
      createdAt: nowMs,
      callerIP: "127.0.0.1",
    });
    await qstash.emulator.drain();
    assert.equal((await qstash.client.messages.get(messageId)).messageId, messageId);
    await rejectsWith(qstash.client.messages.cancel(messageId), 404, /not found/);
    assert.deepEqual(await qstash.client.messages.cancel([messageId]), { cancelled: 0 });
    await qstash.emulator.advance(QSTASH_ASSUMPTIONS.deliveredReadableMs);
    await rejectsWith(qstash.client.messages.get(messageId), 404, /not found/);
  });

  it("deliveredReadableMs: 0 takes a message away when it is delivered", async () => {
    const other = await virtualQstash(() => 200, { assume: { deliveredReadableMs: 0 } });
    try {
      const { messageId } = await other.client.publish({ url: URL_A });
      await other.emulator.drain();
      await rejectsWith(other.client.messages.get(messageId), 404, /not found/);
    } finally {
      await other.close();
    }
  });

  it("get: one in the DLQ is not found", async () => {
    const { messageId } = await qstash.client.publish({ url: URL_A, retries: 0 });
    destination = () => 500;
    await qstash.emulator.drain();
    destination = () => 200;
    await rejectsWith(qstash.client.messages.get(messageId), 404, /not found/);
  });

  it("get: the period of a flow control key without a rate", async () => {
    const messageId = await later({ flowControl: { key: "only-parallelism", parallelism: 2 } });
    const message = await qstash.client.messages.get(messageId);
    assert.deepEqual([message.parallelism, message.rate, message.period], [2, undefined, 1]);
    await qstash.client.messages.cancel(messageId);
  });

  it("get: a body that is no UTF-8 as base64", async () => {
    const messageId = await later({ body: new Blob([new Uint8Array([0xff, 0])]) });
    const message = await qstash.client.messages.get(messageId);
    assert.deepEqual([message.body, message.bodyBase64], [undefined, "/wA="]);
    await qstash.client.messages.cancel(messageId);
  });

  it("cancel, delete: one, and it is not delivered", async () => {
    const from = qstash.deliveries.length;
    const messageId = await later();
    assert.deepEqual(await qstash.client.messages.cancel(messageId), { cancelled: 1 });
    await rejectsWith(qstash.client.messages.cancel(messageId), 404, /not found/);
    const other = await later();
    await qstash.client.messages.delete(other);
    await rejectsWith(qstash.client.messages.get(other), 404, /not found/);
    await qstash.emulator.advance(60_000);
    assert.equal(qstash.deliveries.length, from);
    assert.deepEqual(await statesOf(messageId), ["CREATED", "CANCEL_REQUESTED", "CANCELED"]);
  });

  it("cancel, deleteMany: several ids count what there was", async () => {
    const ids = [await later(), await later(), await later()];
    assert.deepEqual(await qstash.client.messages.cancel([ids[0]!, "msg_none"]), { cancelled: 1 });
    assert.equal(await qstash.client.messages.deleteMany([ids[0]!, ids[1]!]), 1);
    const { cancelled } = await qstash.client.messages.cancel({ messageIds: [ids[2]!] });
    assert.equal(cancelled, 1);
    assert.deepEqual(await qstash.client.messages.cancel([]), { cancelled: 0 });
  });

  it("cancel: filters", async () => {
    await later({ label: ["a", "b"] });
    await later({ url: "https://b.example/x", flowControl: { key: "fk", parallelism: 1 } });
    await later({ url: "https://b.example/y" });
    const startMs = qstash.clock.now();
    await qstash.emulator.advance(1000);
    await later({ url: "https://c.example/" });
    const cancel = async (filter: Filter) =>
      (await qstash.client.messages.cancel({ filter })).cancelled;
    assert.equal(await cancel({ label: ["b", "c"], host: "b.example" }), 0);
    assert.equal(await cancel({ label: ["b", "c"] }), 1);
    assert.equal(await cancel({ flowControlKey: "fk" }), 1);
    assert.equal(await cancel({ host: "b.example", path: "/y" }), 1);
    assert.equal(await cancel({ toDate: startMs }), 0);
    assert.equal(await cancel({ url: "https://c.example/", fromDate: startMs + 1000 }), 1);
  });

  it("cancel, deleteAll: all, or as many as count says", async () => {
    for (let i = 0; i < 3; i++) await later();
    const { cancelled } = await qstash.client.messages.cancel({ all: true, count: 2 });
    assert.equal(cancelled, 2);
    await later();
    assert.equal(await qstash.client.messages.deleteAll(), 2);
  });

  it("cancel: one that waits for its retry is cancelled when that is due", async () => {
    destination = () => 500;
    const from = qstash.deliveries.length;
    const { messageId } = await qstash.client.publish({ url: URL_A });
    await qstash.emulator.settled();
    await qstash.client.messages.cancel(messageId);
    const states = ["CREATED", "ACTIVE", "ERROR", "RETRY", "CANCEL_REQUESTED"];
    assert.deepEqual(await statesOf(messageId), states);
    await qstash.emulator.advance(12_000);
    destination = () => 200;
    assert.deepEqual(await statesOf(messageId), [...states, "CANCELED"]);
    assert.equal(qstash.deliveries.length, from + 1);
  });

  it("cancel: one that is being delivered is not tried again", async () => {
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    const { promise: answer, resolve: fail } = Promise.withResolvers<number>();
    destination = () => {
      reach();
      return answer;
    };
    const { messageId } = await qstash.client.publish({ url: URL_A });
    const settled = qstash.emulator.settled();
    await reached;
    await qstash.client.messages.cancel(messageId);
    fail(500);
    await settled;
    await qstash.emulator.drain();
    destination = () => 200;
    assert.deepEqual(
      await statesOf(messageId),
      ["CREATED", "ACTIVE", "CANCEL_REQUESTED", "ERROR", "CANCELED"],
    );
  });
});
