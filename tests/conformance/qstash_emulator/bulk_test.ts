import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { virtualQstash, type VirtualQstashFixture } from "../../support/qstash.ts";

const URL_A = "https://a.example/";

describe("requests about many messages", () => {
  let qstash: VirtualQstashFixture;
  const messageIds: string[] = [];

  before(async () => {
    qstash = await virtualQstash(() => 500);
    for (let i = 0; i < 3; i++) {
      await qstash.client.publish({ url: URL_A, retries: 0, label: "dead" });
    }
    await qstash.emulator.drain();
    for (let i = 0; i < 3; i++) {
      const { messageId } = await qstash.client.publish({
        url: URL_A,
        delay: "1d",
        label: "later",
      });
      messageIds.push(messageId);
    }
  });
  after(() => qstash.close());

  async function call(method: string, path: string, body?: string) {
    const response = await fetch(`${qstash.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}` },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    return { status: response.status, answer: text === "" ? {} : JSON.parse(text) };
  }

  const dlqIds = async () =>
    (await qstash.client.dlq.listMessages()).messages.map(({ dlqId }) => dlqId);

  /** How many messages wait, and how many are in the DLQ. */
  async function left(): Promise<[waiting: number, dead: number]> {
    const found = await Promise.all(messageIds.map((id) => call("GET", `/v2/messages/${id}`)));
    return [found.filter(({ status }) => status === 200).length, (await dlqIds()).length];
  }

  const routes = ["DELETE /v2/messages", "DELETE /v2/dlq", "POST /v2/dlq/retry"];
  const lists = ["GET /v2/dlq", "GET /v2/events", "GET /v2/logs"];
  const shared = [
    "labeel=typo",
    "LABEL=later",
    "label=",
    "label=,",
    "url=",
    "topicName=",
    "topic=g",
    "api=llm",
    "workflowRunId=wfr_1",
    "count=0",
    "count=-1",
    "count=all",
    "count=1&count=2",
    "fromDate=yesterday",
    "toDate=",
    "responseStatus=bad",
    "state=GONE",
    "upstash-label=later",
  ];
  for (const route of [...routes, ...lists]) {
    const [method, path] = route.split(" ") as [string, string];
    const own = path.endsWith("messages")
      ? ["messageIds=", "dlqIds=1-1", "messageId=x", "cursor=1-1", "count=501"]
      : path.startsWith("/v2/dlq")
      ? ["dlqIds=", "dlqIds=,", "messageIds=x", "host=a.example", "path=/", "cursor=soon"]
      : ["messageIds=", "dlqIds=1-1", "cursor=soon"];
    it(`${route} refuses a filter that it does not have, or that has no such value`, async () => {
      for (const query of [...shared, ...own]) {
        // The configuration of the new message.
        if (path.endsWith("retry") && query.startsWith("upstash-")) continue;
        const { status, answer } = await call(method, `${path}?${query}`);
        assert.deepEqual([query, status, typeof answer.error], [query, 400, "string"]);
      }
      assert.deepEqual(await left(), [3, 3]);
    });
  }

  for (const route of routes) {
    const [method, path] = route.split(" ") as [string, string];
    const ids = path.endsWith("messages") ? "messageIds" : "dlqIds";
    it(`${route} refuses a JSON body that says nothing it can use`, async () => {
      for (
        const body of [
          "{",
          "[]",
          "null",
          `"msg_1"`,
          `{"labeel":"typo"}`,
          `{"${ids}":null}`,
          `{"${ids}":[null]}`,
          `{"${ids}":[""]}`,
          `{"${ids}":{}}`,
          `{"label":[]}`,
          `{"label":true}`,
          `{"count":0}`,
        ]
      ) {
        const { status, answer } = await call(method, path, body);
        assert.deepEqual([body, status, typeof answer.error], [body, 400, "string"]);
      }
      assert.deepEqual(await left(), [3, 3]);
    });
  }

  it("every other route refuses a parameter that it does not have", async () => {
    for (
      const route of [
        "POST /v2/batch?labeel=typo",
        "GET /v2/messages/msg_1?labeel=typo",
        "DELETE /v2/messages/msg_1?labeel=typo",
        "DELETE /v2/dlq/1-1?labeel=typo",
        "POST /v2/dlq/retry/1-1?count=1",
        "GET /v2/queues?labeel=typo",
        "DELETE /v2/queues/q?labeel=typo",
        "GET /v2/topics?labeel=typo",
        "GET /v2/schedules?labeel=typo",
        "GET /v2/keys?labeel=typo",
        "POST /v2/flowControl/k/pin?paralelism=1",
        "POST /v2/flowControl/k/unpin?period=true",
        "POST /v2/flowControl/k/pause?rate=1",
      ]
    ) {
      const [method, path] = route.split(" ") as [string, string];
      const { status, answer } = await call(method, path);
      assert.deepEqual([route, status], [route, 400]);
      assert.match(answer.error, /^invalid parameter "/);
    }
  });

  it("routes of workflows say that there are none", async () => {
    for (
      const route of ["DELETE /v2/workflows/runs/wfr_1", "POST /v2/notify/e", "GET /v2/waiters/e"]
    ) {
      const [method, path] = route.split(" ") as [string, string];
      const { status, answer } = await call(method, path);
      assert.deepEqual([route, status], [route, 404]);
      assert.match(answer.error, /workflows are not supported/);
    }
  });

  it("the token may be in the query", async () => {
    const token = encodeURIComponent(qstash.emulator.env("").QSTASH_TOKEN);
    const response = await fetch(`${qstash.url}/v2/dlq?count=2&qstash_token=${token}`);
    assert.equal((await response.json()).messages.length, 2);
  });

  it("ids in a JSON body select these alone, and an empty list none", async () => {
    const [first, second, third] = await dlqIds();
    assert.deepEqual((await call("DELETE", "/v2/messages", `{"messageIds":[]}`)).answer, {
      cancelled: 0,
    });
    assert.deepEqual((await call("DELETE", "/v2/dlq", `{"dlqIds":[]}`)).answer, { deleted: 0 });
    assert.deepEqual(await left(), [3, 3]);
    const cancel = JSON.stringify({ messageIds: [messageIds[0], "msg_none"] });
    assert.deepEqual((await call("DELETE", "/v2/messages", cancel)).answer, { cancelled: 1 });
    const remove = JSON.stringify({ dlqIds: [first] });
    assert.deepEqual((await call("DELETE", "/v2/dlq", remove)).answer, { deleted: 1 });
    assert.deepEqual(await left(), [2, 2]);
    const retry = JSON.stringify({ dlqIds: [second] });
    assert.equal((await call("POST", "/v2/dlq/retry", retry)).answer.responses.length, 1);
    assert.deepEqual(await left(), [2, 1]);
    assert.deepEqual((await call("DELETE", `/v2/dlq?dlqIds=${third}`)).answer, { deleted: 1 });
  });

  it("filters in a JSON body, joined by commas or as a list", async () => {
    const waiting = async () => (await left())[0];
    for (const label of [["x", "y"], "x,y"]) {
      const { answer } = await call("DELETE", "/v2/messages", JSON.stringify({ label }));
      assert.deepEqual(answer, { cancelled: 0 });
    }
    assert.equal(await waiting(), 2);
    const body = JSON.stringify({ label: "none,later", count: 1 });
    assert.deepEqual((await call("DELETE", "/v2/messages", body)).answer, { cancelled: 1 });
    assert.equal(await waiting(), 1);
    const ignored = JSON.stringify({ messageIds: messageIds, label: "none" });
    assert.deepEqual((await call("DELETE", "/v2/messages", ignored)).answer, { cancelled: 1 });
    assert.equal(await waiting(), 0);
  });

  it("a URL with a comma is one URL", async () => {
    const url = "https://a.example/p?at=1,2";
    const { messageId } = await qstash.client.publish({ url, delay: 60 });
    await qstash.client.publish({ url: "https://a.example/q", delay: 60 });
    assert.equal((await qstash.client.messages.get(messageId)).url, url);
    assert.deepEqual(await qstash.client.messages.cancel({ filter: { url } }), { cancelled: 1 });
  });

  it("urlGroup and topicName are one filter, which older clients send as both", async () => {
    await qstash.client.messages.deleteAll();
    await qstash.client.urlGroups.addEndpoints({ name: "g", endpoints: [{ url: URL_A }] });
    await qstash.client.publish({ urlGroup: "g", delay: 60 });
    await qstash.client.publish({ url: URL_A, delay: 60 });
    const none = await call("DELETE", "/v2/messages?urlGroup=none&topicName=g");
    assert.deepEqual(none.answer, { cancelled: 0 });
    const both = await call("DELETE", "/v2/messages?urlGroup=g&topicName=g");
    assert.deepEqual(both.answer, { cancelled: 1 });
  });

  it("callerIP is the older name of callerIp", async () => {
    await qstash.client.messages.deleteAll();
    await qstash.client.publish({ url: URL_A, delay: 60 });
    const { answer } = await call("DELETE", "/v2/messages?callerIP=10.0.0.1");
    assert.deepEqual(answer, { cancelled: 0 });
    assert.deepEqual((await call("DELETE", "/v2/messages?callerIP=127.0.0.1")).answer, {
      cancelled: 1,
    });
  });
});
