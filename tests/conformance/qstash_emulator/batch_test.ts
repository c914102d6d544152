import { after, afterEach, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { virtualQstash, type VirtualQstashFixture } from "../../support/qstash.ts";
import { rejectsWith } from "../../support/qstash_errors.ts";

const A = "https://a.example/";
const B = "https://b.example/";

describe("client.batch", () => {
  let qstash: VirtualQstashFixture;
  let failing = new Map<number, string>();

  before(async () => {
    qstash = await virtualQstash(() => 200, {
      faults: { batchItem: ({ index }) => failing.get(index) },
    });
    await qstash.client.urlGroups.addEndpoints({
      name: "group",
      endpoints: [{ url: "https://g1.example/" }, { url: "https://g2.example/" }],
    });
  });
  afterEach(() => {
    failing = new Map();
  });
  after(() => qstash.close());

  it("messages, a queue and a URL group: an answer for each, in order", async () => {
    const from = qstash.deliveries.length;
    const answers = await qstash.client.batch([
      { url: A, body: "1", headers: { "X-A": "1" }, deduplicationId: "b-1" },
      { url: B, body: "2", queueName: "q-batch" },
      { urlGroup: "group", body: "3" },
      { url: A, body: "again", deduplicationId: "b-1" },
    ]) as unknown[];
    const [first, second, third, fourth] = answers as [
      { messageId: string },
      { messageId: string },
      { messageId: string; url: string }[],
      { messageId: string; deduplicated?: boolean },
    ];
    assert.match(first.messageId, /^msg_/);
    assert.match(second.messageId, /^msg_/);
    assert.deepEqual(third.map(({ url }) => url), ["https://g1.example/", "https://g2.example/"]);
    assert.deepEqual(fourth, { messageId: first.messageId, deduplicated: true });
    await qstash.emulator.drain();
    const sent = qstash.deliveries.slice(from);
    assert.deepEqual(sent.map(({ text }) => text).sort(), ["1", "2", "3", "3"]);
    assert.equal(sent.find(({ text }) => text === "1")!.headers.get("x-a"), "1");
    assert.equal((await qstash.client.queue({ queueName: "q-batch" }).get()).parallelism, 1);
  });

  it("batchJSON: bodies as JSON", async () => {
    const from = qstash.deliveries.length;
    await qstash.client.batchJSON([{ url: A, body: { n: 1 } }, { url: A, body: { n: "ö" } }]);
    await qstash.emulator.drain();
    const sent = qstash.deliveries.slice(from);
    assert.deepEqual(sent.map(({ text }) => text), [`{"n":1}`, `{"n":"ö"}`]);
    assert.equal(sent[0]!.headers.get("content-type"), "application/json");
  });

  it("null is a field that is not given, as the client in Python sends it", async () => {
    const from = qstash.deliveries.length;
    const response = await fetch(`${qstash.url}/v2/batch`, {
      method: "POST",
      headers: { authorization: `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}` },
      body: JSON.stringify([
        { destination: A, headers: { "Upstash-Method": "PUT" }, body: "1", queue: null },
        { destination: A, headers: null, body: null, queue: null },
        { destination: A, headers: { "Upstash-Delay": null }, body: "3" },
      ]),
    });
    assert.equal(response.status, 200);
    assert.equal((await response.json()).length, 3);
    await qstash.emulator.drain();
    assert.deepEqual(
      qstash.deliveries.slice(from).map(({ method, text }) => [method, text]),
      [["PUT", "1"], ["POST", ""], ["POST", "3"]],
    );
  });

  it("a step of a workflow in one message refuses all", async () => {
    const from = qstash.deliveries.length;
    const headers = { "Upstash-Workflow-RunId": "wfr_1" };
    await rejectsWith(qstash.client.batch([{ url: A }, { url: A, headers }]), 400, /workflows/);
    await qstash.emulator.drain();
    assert.equal(qstash.deliveries.length, from);
  });

  it("one message, and none", async () => {
    const answers = await qstash.client.batch([{ url: A }]);
    assert.equal(answers.length, 1);
    assert.deepEqual(await qstash.client.batch([]), []);
    await qstash.emulator.drain();
  });

  it("batchOfOne: item answers one message without a list", async () => {
    const other = await virtualQstash(() => 200, { assume: { batchOfOne: "item" } });
    try {
      const [answer] = await other.client.batch([{ url: A }]) as { messageId: string }[];
      assert.match(answer!.messageId, /^msg_/);
    } finally {
      await other.close();
    }
  });

  it("a message that fails alone has an error in its place", async () => {
    const from = qstash.deliveries.length;
    failing = new Map([[1, "no room"]]);
    const answers = await qstash.client.batch([{ url: A, body: "1" }, { url: A }, {
      url: A,
      body: "3",
    }]);
    assert.deepEqual(answers[1], { error: "no room" });
    await qstash.emulator.drain();
    assert.deepEqual(qstash.deliveries.slice(from).map(({ text }) => text), ["1", "3"]);
  });

  const malformed: [string, Parameters<typeof qstash.client.batch>[0], RegExp][] = [
    [
      "a deduplication id with a colon",
      [{ url: A }, { url: A, deduplicationId: "a:b" }],
      /contain ':'/,
    ],
    ["a destination without a scheme", [{ url: A }, { url: "nowhere" }], /invalid scheme/],
    ["bytes as a body", [{ url: A }, { url: A, body: new Uint8Array(2) as never }], /batch item 1/],
    ["a queue name with a slash", [{ url: A }, { url: A, queueName: "a/b" }], /queue name/],
    ["a header that HTTP cannot carry", [{ url: A }, { url: A, callback: "x" }], /callback/],
  ];
  for (const [what, items, text] of malformed) {
    it(`${what} in one message refuses all`, async () => {
      const from = qstash.deliveries.length;
      await rejectsWith(qstash.client.batch(items), 400, text);
      await qstash.emulator.drain();
      assert.equal(qstash.deliveries.length, from);
    });
  }

  for (
    const body of [
      "",
      "{",
      "{}",
      "null",
      "[1]",
      `[{"destination":"https://a.example","headers":{"a\\nb":"c"}}]`,
      `[{"destination":"https://a.example","headers":{"upstash-forward-a\\nb":"c"}}]`,
      `[{"destination":"https://a.example","headers":{"upstash-forward-x":"日本"}}]`,
    ]
  ) {
    it(`refuses the batch ${body}`, async () => {
      const response = await fetch(`${qstash.url}/v2/batch`, {
        method: "POST",
        headers: { authorization: `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}` },
        body,
      });
      const { error } = await response.json();
      // A header that is none of a message's is not looked at.
      const isFine = body.includes(`{"a\\nb"`);
      assert.deepEqual(
        [response.status, typeof error],
        isFine ? [200, "undefined"] : [400, "string"],
      );
      await qstash.emulator.drain();
    });
  }
});
