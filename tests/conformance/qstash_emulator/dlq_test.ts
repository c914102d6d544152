import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import {
  type Destination,
  virtualQstash,
  type VirtualQstashFixture,
} from "../../support/qstash.ts";
import { rejectsWith } from "../../support/qstash_errors.ts";

const URL_A = "https://a.example/";
const DAY_MS = 86_400_000;

describe("client.dlq", () => {
  let qstash: VirtualQstashFixture;
  let destination: Destination = () => 500;

  before(async () => {
    qstash = await virtualQstash((delivery, request) => destination(delivery, request));
  });
  after(() => qstash.close());

  /** Publishes messages that fail at once, and gives the ids that the DLQ knows them by. */
  async function failed(
    count: number,
    request: Partial<Parameters<typeof qstash.client.publish>[0]> = {},
  ): Promise<string[]> {
    const ids: string[] = [];
    for (let i = 0; i < count; i++) {
      const { messageId } = await qstash.client.publish({ url: URL_A, retries: 0, ...request } as {
        url: string;
      });
      ids.push(messageId);
    }
    await qstash.emulator.drain();
    const dlqIds: string[] = [];
    for (const id of ids) {
      const { messages } = await qstash.client.dlq.listMessages({ filter: { messageId: id } });
      dlqIds.push(messages[0]!.dlqId);
    }
    return dlqIds;
  }

  async function empty(): Promise<void> {
    while ((await qstash.client.dlq.delete({ all: true })).cursor);
  }

  it("listMessages: the message and the last answer", async () => {
    destination = () => new Response("sorry", { status: 503, headers: { "X-Why": "w" } });
    const [dlqId] = await failed(1, { body: "hello", headers: { "X-My": "1" }, label: "l" });
    destination = () => 500;
    const { messages: [message], cursor } = await qstash.client.dlq.listMessages({
      filter: { label: "l" },
    });
    assert.equal(cursor, undefined);
    assert.match(dlqId!, /^\d+-\d+$/);
    assert.equal(message!.url, URL_A);
    assert.equal(message!.body, "hello");
    assert.deepEqual(message!.header!["X-My"], ["1"]);
    assert.equal(message!.responseStatus, 503);
    assert.equal(message!.responseBody, "sorry");
    assert.deepEqual(message!.responseHeader!["X-Why"], ["w"]);
    await empty();
  });

  it("listMessages: bodies that are no UTF-8 as base64", async () => {
    destination = () => new Response(new Uint8Array([0xff]), { status: 500 });
    await failed(1, { body: new Blob([new Uint8Array([0xfe])]) });
    destination = () => 500;
    const { messages: [message] } = await qstash.client.dlq.listMessages();
    assert.deepEqual([message!.body, message!.bodyBase64], [undefined, "/g=="]);
    assert.deepEqual([message!.responseBody, message!.responseBodyBase64], [undefined, "/w=="]);
    await empty();
  });

  it("listMessages: pages, by count and cursor", async () => {
    const dlqIds = await failed(5);
    const found: string[] = [];
    let cursor: string | undefined;
    const sizes: number[] = [];
    do {
      const page = await qstash.client.dlq.listMessages({ count: 2, ...cursor ? { cursor } : {} });
      found.push(...page.messages.map((message) => message.dlqId));
      sizes.push(page.messages.length);
      cursor = page.cursor;
    } while (cursor);
    assert.deepEqual(sizes, [2, 2, 1]);
    assert.deepEqual(found, dlqIds);
    const { messages } = await qstash.client.dlq.listMessages({ dlqIds: [dlqIds[1]!, dlqIds[3]!] });
    assert.deepEqual(messages.map((message) => message.dlqId), [dlqIds[1], dlqIds[3]]);
    await empty();
  });

  it("listMessages: filters", async () => {
    await qstash.client.urlGroups.addEndpoints({
      name: "g",
      endpoints: [{ url: "https://g.example/" }],
    });
    const startMs = qstash.clock.now();
    await failed(1, { label: ["x", "y"] });
    await qstash.emulator.advance(1000);
    await failed(1, { url: "https://b.example/", flowControl: { key: "fk", rate: 5 } });
    const { url: _, ...request } = { url: "", urlGroup: "g", retries: 0 };
    await qstash.client.publish(request);
    await qstash.client.queue({ queueName: "q" }).enqueue({
      url: "https://q.example/",
      retries: 0,
    });
    await qstash.emulator.drain();
    const urls = async (filter: Parameters<typeof qstash.client.dlq.listMessages>[0]) =>
      (await qstash.client.dlq.listMessages(filter)).messages.map(({ url }) => url);
    assert.deepEqual(await urls({ filter: { label: ["y", "z"] } }), [URL_A]);
    assert.deepEqual(await urls({ filter: { url: "https://b.example/" } }), ["https://b.example/"]);
    assert.deepEqual(await urls({ filter: { flowControlKey: "fk" } }), ["https://b.example/"]);
    assert.deepEqual(await urls({ filter: { urlGroup: "g" } }), ["https://g.example/"]);
    assert.deepEqual(await urls({ filter: { queueName: "q" } }), ["https://q.example/"]);
    assert.deepEqual(await urls({ filter: { toDate: startMs } }), [URL_A]);
    assert.equal((await urls({ filter: { fromDate: new Date(startMs + 1000) } })).length, 3);
    assert.equal((await urls({ filter: { responseStatus: [500, 503] } })).length, 4);
    assert.equal((await urls({ filter: { responseStatus: 503 } })).length, 0);
    assert.equal((await urls({ filter: { callerIp: "127.0.0.1" } })).length, 4);
    assert.equal((await urls({ filter: { scheduleId: "scd_none" } })).length, 0);
    const byHost = { filter: { host: "b.example" } as object };
    await rejectsWith(qstash.client.dlq.listMessages(byHost), 400, /host/);
    await empty();
  });

  it("delete: one, and then it is gone", async () => {
    const [dlqId] = await failed(1);
    assert.deepEqual(await qstash.client.dlq.delete(dlqId!), { deleted: 1 });
    await rejectsWith(qstash.client.dlq.delete(dlqId!), 404, /not found/);
  });

  it("delete, deleteMany: ids, a filter, all", async () => {
    const ids = await failed(4);
    await failed(3, { url: "https://b.example/" });
    assert.deepEqual(await qstash.client.dlq.delete([ids[0]!, "none"]), { deleted: 1 });
    assert.deepEqual(await qstash.client.dlq.deleteMany({ dlqIds: [ids[1]!] }), { deleted: 1 });
    const some = await qstash.client.dlq.delete({
      filter: { url: "https://b.example/" },
      count: 2,
    });
    assert.equal(some.deleted, 2);
    assert.ok(some.cursor);
    assert.deepEqual(await qstash.client.dlq.delete({ all: true }), { deleted: 3 });
  });

  it("retry: a new message with the same body and headers, and the old one is gone", async () => {
    const [dlqId] = await failed(1, {
      body: "again",
      method: "PUT",
      headers: { "X-My": "1" },
      deduplicationId: "dlq-1",
    });
    destination = () => 200;
    const from = qstash.deliveries.length;
    const { responses } = await qstash.client.dlq.retry(dlqId!);
    await qstash.emulator.drain();
    destination = () => 500;
    const [delivery] = qstash.deliveries.slice(from);
    assert.equal(delivery!.headers.get("upstash-message-id"), responses[0]!.messageId);
    assert.deepEqual(
      [delivery!.method, delivery!.text, delivery!.headers.get("x-my")],
      ["PUT", "again", "1"],
    );
    assert.equal(delivery!.headers.get("upstash-retried"), "0");
    await rejectsWith(qstash.client.dlq.delete(dlqId!), 404, /not found/);
  });

  it("retry: several, by filter, all; one that fails again comes back", async () => {
    const ids = await failed(2);
    await failed(2, { label: "l" });
    assert.equal((await qstash.client.dlq.retry(ids)).responses.length, 2);
    const { responses, cursor } = await qstash.client.dlq.retry({
      filter: { label: "l" },
      count: 1,
    });
    assert.equal(responses.length, 1);
    assert.ok(cursor);
    await qstash.emulator.drain();
    const all = await qstash.client.dlq.retry({ all: true });
    assert.deepEqual([all.responses.length, all.cursor], [4, undefined]);
    await qstash.emulator.drain();
    assert.equal((await qstash.client.dlq.listMessages()).messages.length, 4);
    await empty();
    await rejectsWith(qstash.client.dlq.retry("none"), 404, /not found/);
  });

  it("retry: ids of which one is not there retry none", async () => {
    const [dlqId] = await failed(1);
    await rejectsWith(qstash.client.dlq.retry([dlqId!, "1-1"]), 404, /not found/);
    const { messages } = await qstash.client.dlq.listMessages({ dlqIds: dlqId! });
    assert.equal(messages.length, 1);
    await empty();
  });

  it("retry: one that its plan refuses stays in the DLQ", async () => {
    const other = await virtualQstash(() => 500, { limits: { queues: 1 } });
    try {
      await other.client.queue({ queueName: "q" }).enqueue({ url: URL_A, retries: 0 });
      await other.emulator.drain();
      await other.client.queue({ queueName: "q" }).delete();
      await other.client.queue({ queueName: "q2" }).upsert({ parallelism: 1 });
      await rejectsWith(other.client.dlq.retry({ all: true }), 412, /maxQueues/);
      assert.equal((await other.client.dlq.listMessages()).messages.length, 1);
    } finally {
      await other.close();
    }
  });

  it("REST: GET one, retry one, retry with other settings", async () => {
    const [dlqId] = await failed(1, { body: "b" });
    const ask = (method: string, path: string, headers: Record<string, string> = {}) =>
      fetch(`${qstash.url}/v2/dlq/${path}`, {
        method,
        headers: {
          authorization: `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}`,
          ...headers,
        },
      });
    assert.equal((await (await ask("GET", dlqId!)).json()).body, "b");
    assert.equal((await ask("GET", "none")).status, 404);
    assert.equal((await ask("POST", "retry/none")).status, 404);
    const from = qstash.deliveries.length;
    const response = await ask("POST", `retry/${dlqId}`, { "Upstash-Retries": "2" });
    assert.equal(response.status, 201);
    assert.match((await response.json()).messageId, /^msg_/);
    await qstash.emulator.drain();
    assert.equal(qstash.deliveries.length - from, 3);
    await empty();
  });

  it("keeps a message for the plan's time", async () => {
    await failed(1);
    await qstash.emulator.advance(7 * DAY_MS);
    assert.equal((await qstash.client.dlq.listMessages()).messages.length, 1);
    await qstash.emulator.advance(1);
    assert.equal((await qstash.client.dlq.listMessages()).messages.length, 0);
  });

  it("lastCursor: empty gives a last page an empty cursor", async () => {
    const other = await virtualQstash(() => 200, { assume: { lastCursor: "empty" } });
    try {
      assert.equal((await other.client.dlq.listMessages()).cursor, "");
    } finally {
      await other.close();
    }
  });
});
