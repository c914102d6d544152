import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { virtualQstash, type VirtualQstashFixture } from "../../support/qstash.ts";

const [A, B] = ["https://a.example/x", "https://b.example/y"] as const;

describe("client.logs", () => {
  let qstash: VirtualQstashFixture;
  const ids: Record<string, string> = {};

  before(async () => {
    qstash = await virtualQstash(({ url, headers }) =>
      url === A
        ? 200
        : Number(headers.get("upstash-retried")) < 1
        ? 503
        : new Response("sorry", { status: 500, headers: { "X-Why": "w" } })
    );
    ids["a"] = (await qstash.client.publish({ url: A, body: "hello", label: "l" })).messageId;
    await qstash.emulator.drain();
    ids["b"] = (await qstash.client.publish({
      url: B,
      retries: 1,
      flowControl: { key: "fk", rate: 1 },
      retryDelay: "12000 * (1 + retried)",
    })).messageId;
    await qstash.emulator.drain();
    ids["c"] = (await qstash.client.publish({ url: A, delay: 60 })).messageId;
  });
  after(() => qstash.close());

  const statesOf = async (request: Parameters<typeof qstash.client.logs>[0]) =>
    (await qstash.client.logs(request)).logs.map(({ state }) => state);

  it("the life of a message, newest first", async () => {
    assert.deepEqual(await statesOf({ messageIds: [ids["a"]!] }), [
      "DELIVERED",
      "ACTIVE",
      "CREATED",
    ]);
    assert.deepEqual(
      await statesOf({ messageIds: [ids["b"]!] }),
      ["FAILED", "ERROR", "ACTIVE", "RETRY", "ERROR", "ACTIVE", "CREATED"],
    );
  });

  it("what an event says", async () => {
    const { logs } = await qstash.client.logs({ filter: { state: "RETRY" } });
    const [{ time, nextDeliveryTime, ...event }] = logs as [
      typeof logs[0] & Record<string, unknown>,
    ];
    assert.equal(nextDeliveryTime! - time, 12_000);
    assert.deepEqual([event.messageId, event.url, event["responseStatus"]], [
      ids["b"],
      B,
      undefined,
    ]);
    const errors = (await qstash.client.logs({ filter: { state: "ERROR" } })).logs as unknown as {
      responseStatus: number;
      responseBody: string;
      responseHeaders: Record<string, string[]>;
    }[];
    assert.deepEqual(errors.map(({ responseStatus }) => responseStatus), [500, 503]);
    assert.equal(atob(errors[0]!.responseBody), "sorry");
    assert.deepEqual(errors[0]!.responseHeaders["X-Why"], ["w"]);
    assert.deepEqual([event["maxRetries"], event["method"], event["timeout"]], [
      1,
      "POST",
      7_200_000,
    ]);
    const expressions = [event["retryDelayExpression"], event["retryDelayExpr"]];
    assert.deepEqual(expressions, ["12000 * (1 + retried)", "12000 * (1 + retried)"]);
    const { logs: [delivered] } = await qstash.client.logs({ filter: { state: "DELIVERED" } });
    assert.equal(atob(delivered!.body!), "hello");
    assert.deepEqual(delivered!.header, { "Content-Type": "text/plain;charset=UTF-8" });
    assert.deepEqual([delivered!.label, delivered!.labels], ["l", ["l"]]);
  });

  it("filters", async () => {
    const count = async (filter: NonNullable<Parameters<typeof qstash.client.logs>[0]>["filter"]) =>
      (await qstash.client.logs({ filter: filter! })).logs.length;
    assert.equal(await count({ url: B }), 7);
    assert.equal(await count({ label: "l" }), 3);
    assert.equal(await count({ flowControlKey: "fk" }), 7);
    assert.equal(await count({ host: "a.example" }), 4);
    assert.equal(await count({ path: ["/x", "/z"] }), 4);
    assert.equal(await count({ state: "CREATED", url: [A, B] }), 3);
    assert.equal(await count({ state: "IN_PROGRESS", url: [A, B] }), 6);
    assert.equal(await count({ state: "CREATED,DELIVERED" as "CREATED" }), 4);
    assert.equal(await count({ messageId: ids["c"]! }), 1);
    assert.equal(await count({ fromDate: qstash.clock.now() + 1 }), 0);
    assert.equal(await count({ toDate: qstash.clock.now() }), 11);
    assert.equal(await count({ urlGroup: "none" }), 0);
  });

  it("pages: by count and cursor, which may begin with a time", async () => {
    const all = (await qstash.client.logs()).logs;
    assert.equal(all.length, 11);
    const found: typeof all = [];
    let cursor: string | number | undefined = qstash.clock.now() + 1;
    do {
      const page = await qstash.client.logs({ count: 4, cursor } as { cursor: string });
      found.push(...page.logs);
      cursor = page.cursor;
    } while (cursor);
    assert.deepEqual(found, all);
  });

  it("headers of callbacks, without those that the message hides", async () => {
    const headers = {
      "Upstash-Callback-Forward-X-A": "1",
      "Upstash-Callback-Forward-X-Secret": "s",
      "Upstash-Failure-Callback-Forward-X-B": "2",
    };
    const request = {
      url: A,
      delay: 60,
      headers,
      callback: "https://cb.example/",
      failureCallback: "https://cb.example/",
    };
    const shown = async (redact?: { header: true | string[] }) => {
      const { messageId } = await qstash.client.publish({
        ...request,
        ...(redact === undefined ? {} : { redact }),
      });
      const message = await qstash.client.messages.get(messageId) as unknown as {
        callbackHeader?: unknown;
        failureCallbackHeader?: unknown;
      };
      const { logs: [event] } = await qstash.client.logs({ messageIds: [messageId] });
      const { callbackHeaders, failureCallbackHeaders } = event as unknown as {
        callbackHeaders?: unknown;
        failureCallbackHeaders?: unknown;
      };
      await qstash.client.messages.cancel(messageId);
      assert.deepEqual(
        [message.callbackHeader, message.failureCallbackHeader],
        [callbackHeaders, failureCallbackHeaders],
      );
      return [callbackHeaders, failureCallbackHeaders];
    };
    assert.deepEqual(await shown(), [{ "X-A": ["1"], "X-Secret": ["s"] }, { "X-B": ["2"] }]);
    const some = await shown({ header: ["x-secret"] });
    assert.deepEqual(some, [{ "X-A": ["1"] }, { "X-B": ["2"] }]);
    assert.deepEqual(await shown({ header: true }), [undefined, undefined]);
  });

  it("client.events is the same by an older name", async () => {
    assert.deepEqual((await qstash.client.events()).events, (await qstash.client.logs()).logs);
  });

  it("REST: /v2/logs gives them as logs", async () => {
    const response = await fetch(`${qstash.url}/v2/logs?count=2`, {
      headers: { authorization: `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}` },
    });
    const { logs, events, cursor } = await response.json();
    assert.deepEqual([logs.length, events, typeof cursor], [2, undefined, "string"]);
  });

  it("forgets after the plan's time", async () => {
    await qstash.client.messages.cancel({ all: true });
    await qstash.emulator.advance(8 * 86_400_000);
    assert.deepEqual((await qstash.client.logs()).logs, []);
  });
});
