import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { virtualQstash, type VirtualQstashFixture } from "../../support/qstash.ts";
import { rejectsWith } from "../../support/qstash_errors.ts";

const [A, B, C] = ["https://a.example/", "https://b.example/", "https://c.example/"] as const;

describe("client.urlGroups", () => {
  let qstash: VirtualQstashFixture;

  before(async () => {
    qstash = await virtualQstash();
  });
  after(() => qstash.close());

  it("addEndpoints, get, list: endpoints are added, or renamed", async () => {
    const { urlGroups } = qstash.client;
    const nowMs = qstash.clock.now();
    await urlGroups.addEndpoints({ name: "g", endpoints: [{ url: A, name: "a" }, { url: B }] });
    await qstash.emulator.advance(5);
    await urlGroups.addEndpoints({ name: "g", endpoints: [{ url: A, name: "first" }, { url: C }] });
    const shown = {
      name: "g",
      createdAt: nowMs,
      updatedAt: nowMs + 5,
      endpoints: [{ url: A, name: "first" }, { url: B }, { url: C }],
    };
    assert.deepEqual(await urlGroups.get("g"), shown);
    assert.deepEqual(await urlGroups.list(), [shown]);
    assert.deepEqual(await qstash.client.topics.list(), [shown]);
  });

  it("publish to a URL group: every endpoint gets it, as a message of its own", async () => {
    const from = qstash.deliveries.length;
    const answers = await qstash.client.publish({
      urlGroup: "g",
      body: "b",
      deduplicationId: "g-1",
    });
    assert.deepEqual(answers.map(({ url }) => url), [A, B, C]);
    const again = await qstash.client.publish({ urlGroup: "g", body: "b", deduplicationId: "g-1" });
    assert.deepEqual(again, answers.map((answer) => ({ ...answer, deduplicated: true })));
    await qstash.emulator.drain();
    const sent = qstash.deliveries.slice(from);
    assert.deepEqual(sent.map(({ url }) => url), [A, B, C]);
    assert.deepEqual(
      sent.map(({ headers }) => headers.get("upstash-message-id")),
      answers.map(({ messageId }) => messageId),
    );
    assert.ok(sent.every(({ headers }) => headers.get("upstash-topic-name") === "g"));
  });

  it("publish to a URL group: each endpoint is retried by itself", async () => {
    const other = await virtualQstash(({ url, headers }) =>
      url === B && headers.get("upstash-retried") === "0" ? 500 : 200
    );
    try {
      await other.client.urlGroups.addEndpoints({ name: "g", endpoints: [{ url: A }, { url: B }] });
      await other.client.publish({ topic: "g" });
      await other.emulator.drain();
      assert.deepEqual(other.deliveries.map(({ url }) => url), [A, B, B]);
    } finally {
      await other.close();
    }
  });

  it("publish, queue.enqueue and messages.get name the group and the endpoint", async () => {
    const { queueName } = { queueName: "q-g" };
    await qstash.client.queue({ queueName }).pause().catch(() => {});
    const [first] = await qstash.client.queue({ queueName }).enqueue({ urlGroup: "g" });
    const message = await qstash.client.messages.get(first!.messageId);
    assert.deepEqual(
      [message.urlGroup, message.topicName, message.endpointName, message.queueName],
      ["g", "g", "first", queueName],
    );
    await qstash.emulator.drain();
  });

  it("removeEndpoints: by name or URL, and a group without any is gone", async () => {
    const { urlGroups } = qstash.client;
    await urlGroups.removeEndpoints({ name: "g", endpoints: [{ name: "first" }, { url: B }] });
    assert.deepEqual((await urlGroups.get("g")).endpoints, [{ url: C }]);
    await urlGroups.removeEndpoints({ name: "g", endpoints: [{ url: C }] });
    await rejectsWith(urlGroups.get("g"), 404, /not found/);
  });

  it("delete", async () => {
    const { urlGroups } = qstash.client;
    await urlGroups.addEndpoints({ name: "d", endpoints: [{ url: A }] });
    await urlGroups.delete("d");
    await urlGroups.delete("d");
    await rejectsWith(urlGroups.get("d"), 404, /not found/);
    await rejectsWith(qstash.client.publish({ urlGroup: "d" }), 400, /invalid scheme/);
  });

  it("addEndpoints: a name of null is none, as the client in Python sends it", async () => {
    const { urlGroups } = qstash.client;
    await urlGroups.addEndpoints({ name: "d", endpoints: [{ url: A, name: null as never }] });
    assert.deepEqual((await urlGroups.get("d")).endpoints, [{ url: A }]);
    await urlGroups.delete("d");
  });

  it("refuses names, endpoints and more than the plan has", async () => {
    const { urlGroups } = qstash.client;
    await rejectsWith(
      urlGroups.addEndpoints({ name: "a b", endpoints: [{ url: A }] }),
      400,
      /name/,
    );
    const bad = { name: "e", endpoints: [{ url: "a.example" }] };
    await rejectsWith(urlGroups.addEndpoints(bad), 400, /invalid scheme/);
    await rejectsWith(urlGroups.addEndpoints({ name: "e", endpoints: [] }), 400, /endpoints/);
    const free = await virtualQstash(() => 200, { plan: "free" });
    try {
      const endpoints = Array.from({ length: 100 }, (_, i) => ({ url: `${A}${i}` }));
      await free.client.urlGroups.addEndpoints({ name: "one", endpoints });
      const more = free.client.urlGroups.addEndpoints({ name: "one", endpoints: [{ url: A }] });
      await rejectsWith(more, 412, /maxEndpoints/);
      const second = free.client.urlGroups.addEndpoints({ name: "two", endpoints: [{ url: A }] });
      await rejectsWith(second, 412, /maxUrlGroups/);
    } finally {
      await free.close();
    }
  });

  it("REST: PATCH gives headers to all messages of a group", async () => {
    await qstash.client.urlGroups.addEndpoints({ name: "h", endpoints: [{ url: A }] });
    const response = await fetch(`${qstash.url}/v2/topics/h`, {
      method: "PATCH",
      headers: { authorization: `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}` },
      body: JSON.stringify({ headers: { "Upstash-Forward-X-Group": "h", "Upstash-Delay": "30s" } }),
    });
    assert.equal(response.status, 200);
    const startMs = qstash.clock.now();
    await qstash.client.publish({ urlGroup: "h" });
    await qstash.client.publish({ urlGroup: "h", delay: 5 });
    await qstash.emulator.drain();
    const sent = qstash.deliveries.slice(-2);
    assert.deepEqual(sent.map(({ atMs }) => atMs - startMs), [5000, 30_000]);
    assert.ok(sent.every(({ headers }) => headers.get("x-group") === "h"));
  });
});
