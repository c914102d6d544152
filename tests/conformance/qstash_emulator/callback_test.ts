import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import {
  type Destination,
  virtualQstash,
  type VirtualQstashFixture,
} from "../../support/qstash.ts";

const URL_A = "https://a.example/work";
const CALLBACK = "https://cb.example/done";
const FAILURE = "https://cb.example/failed";

describe("client.publish with callbacks", () => {
  let qstash: VirtualQstashFixture;
  let destination: Destination = () => 200;
  let callback: Destination = () => 200;

  before(async () => {
    qstash = await virtualQstash((delivery, request) =>
      (delivery.url === URL_A ? destination : callback)(delivery, request)
    );
  });
  after(() => qstash.close());

  /** Publishes, and gives what came to the callbacks. */
  async function calledBack(
    answer: Destination,
    request: Omit<
      Parameters<typeof qstash.client.publish>[0],
      "url" | "urlGroup" | "topic" | "api"
    >,
    whileDraining: Destination = () => 200,
  ) {
    const from = qstash.deliveries.length;
    destination = answer;
    callback = whileDraining;
    const { messageId } = await qstash.client.publish({ url: URL_A, ...request });
    await qstash.emulator.drain();
    const all = qstash.deliveries.slice(from).filter(({ url }) => url !== URL_A);
    return { messageId, all, payloads: all.map(({ text }) => JSON.parse(text)) };
  }

  it("callback: what the destination answered, with the message it answered to", async () => {
    const nowMs = qstash.clock.now();
    const { messageId, all, payloads } = await calledBack(
      () =>
        new Response("wörld", {
          status: 201,
          headers: { "X-Answer": "a", "content-type": "text/plain" },
        }),
      { callback: CALLBACK, body: "hello", headers: { "X-My": "1" }, method: "PUT" },
    );
    assert.deepEqual(payloads, [{
      status: 201,
      header: { "Content-Type": ["text/plain"], "X-Answer": ["a"] },
      body: btoa(String.fromCharCode(...new TextEncoder().encode("wörld"))),
      retried: 0,
      maxRetries: 3,
      sourceMessageId: messageId,
      url: URL_A,
      method: "PUT",
      sourceHeader: { "Content-Type": ["text/plain;charset=UTF-8"], "X-My": ["1"] },
      sourceBody: btoa("hello"),
      notBefore: nowMs,
      createdAt: nowMs,
      callerIP: "127.0.0.1",
    }]);
    const [delivery] = all;
    assert.equal(delivery!.url, CALLBACK);
    assert.equal(delivery!.method, "POST");
    assert.equal(delivery!.headers.get("content-type"), "application/json");
    assert.notEqual(delivery!.headers.get("upstash-message-id"), messageId);
    const signature = delivery!.headers.get("upstash-signature")!;
    assert.ok(await qstash.receiver().verify({ signature, body: delivery!.text, url: CALLBACK }));
  });

  it("callback: after every attempt", async () => {
    let attempts = 0;
    const { payloads } = await calledBack(() => ++attempts < 3 ? 503 : 200, { callback: CALLBACK });
    assert.deepEqual(payloads.map(({ status, retried }) => [status, retried]), [
      [503, 0],
      [503, 1],
      [200, 2],
    ]);
  });

  it("failureCallback: once, when attempts are used up, with the dlqId", async () => {
    const { messageId, all, payloads } = await calledBack(
      () => new Response("sorry", { status: 500 }),
      { callback: CALLBACK, failureCallback: FAILURE, retries: 1 },
    );
    assert.deepEqual(all.map(({ url }) => url), [CALLBACK, CALLBACK, FAILURE]);
    const failure = payloads[2];
    assert.deepEqual(
      [failure.status, failure.retried, failure.maxRetries, failure.sourceMessageId],
      [500, 1, 1, messageId],
    );
    assert.equal(atob(failure.body), "sorry");
    const { messages } = await qstash.client.dlq.listMessages();
    assert.equal(messages.find((message) => message.messageId === messageId)!.dlqId, failure.dlqId);
    assert.ok(payloads.slice(0, 2).every((payload) => !("dlqId" in payload)));
  });

  it("failureCallback: at once for 489, and not for a success", async () => {
    const nonRetryable = () =>
      new Response(null, { status: 489, headers: { "Upstash-NonRetryable-Error": "true" } });
    const { payloads } = await calledBack(nonRetryable, { failureCallback: FAILURE });
    assert.deepEqual(payloads.map(({ status, retried }) => [status, retried]), [[489, 0]]);
    assert.deepEqual((await calledBack(() => 200, { failureCallback: FAILURE })).payloads, []);
  });

  it("a destination that is not reached has status 0", async () => {
    const refused = () => Promise.reject(new TypeError("refused"));
    const { payloads } = await calledBack(refused, { failureCallback: FAILURE, retries: 0 });
    assert.equal(payloads[0].status, 0);
  });

  it("callback headers: its method, its headers, its retries, its retry delay", async () => {
    const { all } = await calledBack(() => 200, {
      callback: CALLBACK,
      retries: 5,
      headers: {
        "Upstash-Callback-Method": "PUT",
        "Upstash-Callback-Forward-X-Id": "7",
        "Upstash-Callback-Retries": "1",
        "Upstash-Callback-Retry-Delay": "1000",
      },
    }, () => 500);
    assert.deepEqual(all.map(({ method, headers }) => [method, headers.get("x-id")]), [
      ["PUT", "7"],
      ["PUT", "7"],
    ]);
    assert.equal(all[1]!.atMs - all[0]!.atMs, 1000);
  });

  it("a callback is retried as often as its message if nobody says otherwise", async () => {
    const { all } = await calledBack(() => 200, { callback: CALLBACK, retries: 2 }, () => 500);
    assert.equal(all.length, 3);
    const { messages } = await qstash.client.dlq.listMessages({ filter: { url: CALLBACK } });
    assert.ok(messages.length > 0, "a callback that fails for good is in the DLQ too");
  });

  it("a URL group: the callback says which endpoint answered", async () => {
    await qstash.client.urlGroups.addEndpoints({
      name: "workers",
      endpoints: [{ url: URL_A, name: "a" }],
    });
    const from = qstash.deliveries.length;
    destination = () => 200;
    await qstash.client.publish({ urlGroup: "workers", callback: CALLBACK });
    await qstash.emulator.drain();
    const payload = JSON.parse(qstash.deliveries.slice(from)[1]!.text);
    assert.deepEqual([payload.topicName, payload.endpointName], ["workers", "a"]);
  });
});
