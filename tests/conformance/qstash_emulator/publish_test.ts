import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import type { PublishRequest } from "@upstash/qstash";
import { sha256Hex } from "../../../devtools/qstash_emulator/ids.ts";
import {
  type Destination,
  virtualQstash,
  type VirtualQstashFixture,
} from "../../support/qstash.ts";
import { rejectsWith } from "../../support/qstash_errors.ts";

const URL_A = "https://a.example/api/hook?x=1&y=a%20b";

describe("client.publish", () => {
  let qstash: VirtualQstashFixture;
  let destination: Destination = () => 200;

  before(async () => {
    qstash = await virtualQstash((delivery, request) => destination(delivery, request));
  });
  after(() => qstash.close());

  /** Publishes one message and gives its first delivery. */
  async function delivered(request: PublishRequest) {
    const from = qstash.deliveries.length;
    const { messageId } = await qstash.client.publish(request) as { messageId: string };
    await qstash.emulator.drain();
    return { messageId, delivery: qstash.deliveries[from]!, all: qstash.deliveries.slice(from) };
  }

  it("url, method, headers: the destination gets what was published", async () => {
    const { messageId, delivery } = await delivered({
      url: URL_A,
      method: "PUT",
      headers: { "Content-Type": "text/plain", "X-My": "1", Authorization: "Bearer dest" },
      body: "wörld",
    });
    assert.match(messageId, /^msg_/);
    assert.equal(delivery.url, URL_A);
    assert.equal(delivery.method, "PUT");
    assert.equal(delivery.text, "wörld");
    const names = ["content-type", "x-my", "authorization", "user-agent", "upstash-message-id"];
    assert.deepEqual(names.map((name) => delivery.headers.get(name)), [
      "text/plain",
      "1",
      "Bearer dest",
      "Upstash-QStash",
      messageId,
    ]);
    assert.equal(delivery.headers.get("upstash-retried"), "0");
    assert.equal(delivery.headers.get("upstash-caller-ip"), "127.0.0.1");
    assert.equal(delivery.headers.get("upstash-region"), "EU-CENTRAL-1");
    const own = ["signature", "message-id", "retried", "caller-ip", "region"];
    const upstash = [...delivery.headers.keys()].filter((name) => name.startsWith("upstash-"));
    assert.deepEqual(upstash.sort(), own.map((name) => `upstash-${name}`).sort());
  });

  it("body: bytes arrive as they are", async () => {
    const body = new Uint8Array([0xef, 0xbb, 0xbf, 0, 0xff, 0xfe, 0x80]);
    const { delivery } = await delivered({
      url: "https://a.example/raw",
      headers: { "Content-Type": "application/octet-stream" },
      body: new Blob([body]),
    });
    assert.deepEqual(delivery.body, body);
  });

  it("body: none", async () => {
    const { delivery } = await delivered({ url: "https://a.example" });
    assert.equal(delivery.body.length, 0);
    assert.equal(delivery.headers.get("content-type"), null);
    assert.equal(
      await qstash.receiver().verify({
        signature: delivery.headers.get("upstash-signature")!,
        body: "",
        url: "https://a.example",
      }),
      true,
    );
  });

  it("method GET carries no body", async () => {
    const { delivery } = await delivered({ url: URL_A, method: "GET" });
    assert.equal(delivery.method, "GET");
  });

  for (
    const url of [
      "https://a.example/b//c///",
      "https://a.example/%2F?q=%2F&r=//",
      "http://user.example:8080/ü?z=é",
      "https://a.example/?",
    ]
  ) {
    it(`url ${url}: its path and query stay as they are`, async () => {
      const { delivery } = await delivered({ url });
      // The client encodes what is not ASCII, and drops a lone question mark.
      assert.equal(delivery.url, new URL(url).toString());
    });
  }

  it("url: what begins with upstash- in its query says how to publish", async () => {
    destination = () => 500;
    const { delivery, all } = await delivered({
      url: "https://a.example/x?upstash-retries=1&keep=1&upstash-forward-x-q=v",
    });
    destination = () => 200;
    assert.equal(delivery.url, "https://a.example/x?keep=1");
    assert.equal(delivery.headers.get("x-q"), "v");
    assert.equal(all.length, 2);
  });

  it("delay: not before its time", async () => {
    for (const [delay, ms] of [[30, 30_000], ["1d", 86_400_000]] as const) {
      const startMs = qstash.clock.now();
      const { delivery } = await delivered({ url: URL_A, delay });
      assert.equal(delivery.atMs, startMs + ms);
    }
  });

  it("notBefore: unix seconds, and it wins over a delay", async () => {
    const notBefore = Math.floor(qstash.clock.now() / 1000) + 90;
    const { delivery } = await delivered({ url: URL_A, notBefore, delay: 5 });
    assert.equal(delivery.atMs, notBefore * 1000);
    const { delivery: late } = await delivered({ url: URL_A, notBefore: 1 });
    assert.equal(late.atMs, qstash.clock.now());
  });

  it("deduplicationId: one message in ten minutes, and 202", async () => {
    const request = { url: URL_A, deduplicationId: "d-1" };
    const first = await qstash.client.publish(request);
    const { messageId: second, ...rest } = await qstash.client.publish(request);
    assert.equal(second, first.messageId);
    assert.deepEqual(rest, { deduplicated: true });
    // The client does not tell the status.
    const { status } = await fetch(`${qstash.url}/v2/publish/${URL_A}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}`,
        "upstash-deduplication-id": "d-1",
      },
    });
    assert.equal(status, 202);
    // The scope is the account, as long as nobody says otherwise.
    const other = await qstash.client.publish({ ...request, url: "https://b.example" });
    assert.equal(other.messageId, first.messageId);
    await qstash.emulator.advance(10 * 60_000 - 1);
    assert.equal((await qstash.client.publish(request)).messageId, first.messageId);
    await qstash.emulator.advance(1);
    assert.notEqual((await qstash.client.publish(request)).messageId, first.messageId);
    await qstash.emulator.drain();
  });

  it("contentBasedDeduplication: the same destination, body and headers", async () => {
    const request = { url: URL_A, body: "b", contentBasedDeduplication: true };
    const first = await qstash.client.publish({ ...request, headers: { "X-A": "1" } });
    const ids = [];
    for (
      const other of [
        { ...request, headers: { "x-a": "1" } },
        { ...request, headers: { "x-a": "2" } },
        { ...request, headers: { "x-a": "1" }, body: "c" },
        { ...request, headers: { "x-a": "1" }, url: "https://b.example" },
      ]
    ) ids.push((await qstash.client.publish(other)).messageId === first.messageId);
    assert.deepEqual(ids, [true, false, false, false]);
    await qstash.emulator.drain();
  });

  it("contentBasedDeduplication: True, as the client in Python writes it", async () => {
    const request = {
      url: URL_A,
      body: "python",
      headers: { "Upstash-Content-Based-Deduplication": "True" },
    };
    const first = await qstash.client.publish(request);
    const second = await qstash.client.publish(request);
    assert.deepEqual(second, { messageId: first.messageId, deduplicated: true });
    await qstash.emulator.drain();
  });

  it("headers of a workflow that are forwarded are a message's own", async () => {
    const from = qstash.deliveries.length;
    const headers = { "Upstash-Forward-Upstash-Workflow-RunId": "wfr_1" };
    await qstash.client.publish({ url: URL_A, headers });
    await qstash.emulator.drain();
    assert.equal(qstash.deliveries[from]!.headers.get("upstash-workflow-runid"), "wfr_1");
  });

  it("retries: how often, after 12 s, 2m28s, 30m8s, 6h7m6s, a day and a day", async () => {
    destination = () => 500;
    const startMs = qstash.clock.now();
    const { all, messageId } = await delivered({ url: URL_A, retries: 6 });
    const seconds = all.map(({ atMs }, i) => (atMs - (all[i - 1]?.atMs ?? startMs)) / 1000);
    assert.deepEqual(seconds, [0, 12, 148, 1808, 22026, 86400, 86400]);
    assert.deepEqual(
      all.map(({ headers }) => headers.get("upstash-retried")),
      ["0", "1", "2", "3", "4", "5", "6"],
    );
    assert.deepEqual(
      new Set(all.map(({ headers }) => headers.get("upstash-message-id"))),
      new Set([messageId]),
    );
    const { all: default_ } = await delivered({ url: URL_A });
    assert.equal(default_.length, 4);
    const { all: once } = await delivered({ url: URL_A, retries: 0 });
    assert.equal(once.length, 1);
    destination = () => 200;
  });

  it("retryDelay: an expression in milliseconds, of the retries so far", async () => {
    destination = () => 500;
    const { all } = await delivered({
      url: URL_A,
      retries: 3,
      retryDelay: "max(500, pow(2, retried) * 1000) + 1",
    });
    destination = () => 200;
    assert.deepEqual(all.slice(1).map(({ atMs }, i) => atMs - all[i]!.atMs), [1001, 2001, 4001]);
  });

  it("timeout: shortens how long a destination may take", async () => {
    destination = (_, request) =>
      new Promise((resolve) => request.signal.addEventListener("abort", () => resolve(200)));
    const from = qstash.deliveries.length;
    await qstash.client.publish({ url: URL_A, timeout: 1.5, retries: 1, retryDelay: "1000" });
    // The second one is out of its time at 4 seconds.
    await qstash.emulator.advance(4000, { wait: false });
    destination = () => 200;
    const [first, second] = qstash.deliveries.slice(from);
    assert.equal(second!.atMs - first!.atMs, 2500);
    await qstash.emulator.drain();
  });

  it("label, flowControl, redact: the message shows them, and the destination gets the original", async () => {
    const from = qstash.deliveries.length;
    const { messageId } = await qstash.client.publish({
      url: URL_A,
      body: "secret",
      headers: { "X-Secret": "s", "X-Open": "o" },
      delay: 60,
      label: ["a", "b"],
      flowControl: { key: "fk", parallelism: 2, rate: 10, period: "1m" },
      redact: { body: true, header: ["x-secret"] },
      retryDelay: "1000",
      callback: "https://cb.example/ok",
      failureCallback: "https://cb.example/fail",
    });
    const message = await qstash.client.messages.get(messageId);
    assert.deepEqual(message.labels, ["a", "b"]);
    assert.equal(message.label, "a");
    assert.equal(message.flowControlKey, "fk");
    assert.deepEqual([message.parallelism, message.rate, message.period], [2, 10, 60]);
    assert.equal(message.body, `REDACTED:${await sha256Hex(new TextEncoder().encode("secret"))}`);
    assert.match(message.header!["X-Secret"]![0]!, /^REDACTED:[0-9a-f]{64}$/);
    assert.deepEqual(message.header!["X-Open"], ["o"]);
    const { logs: [event] } = await qstash.client.logs({ messageIds: [messageId] });
    assert.equal(event!.body, message.body);
    assert.deepEqual(event!.header!["X-Secret"], message.header!["X-Secret"]![0]);
    assert.equal(message.retryDelayExpression, "1000");
    assert.equal(message.callback, "https://cb.example/ok");
    assert.equal(message.failureCallback, "https://cb.example/fail");
    await qstash.emulator.drain();
    const delivery = qstash.deliveries[from]!;
    assert.equal(delivery.text, "secret");
    assert.equal(delivery.headers.get("x-secret"), "s");
  });

  it("publishJSON: a body as JSON", async () => {
    const from = qstash.deliveries.length;
    await qstash.client.publishJSON({ url: URL_A, body: { hello: "wörld" } });
    await qstash.emulator.drain();
    const delivery = qstash.deliveries[from]!;
    assert.equal(delivery.headers.get("content-type"), "application/json");
    assert.equal(delivery.text, `{"hello":"wörld"}`);
  });

  const refused: [string, PublishRequest, number, string | RegExp][] = [
    [
      "a destination without a scheme",
      { url: "a.example/x" },
      400,
      "invalid destination url: endpoint has invalid scheme, add http:// or https://",
    ],
    ["a destination of another scheme", { url: "ftp://a.example/x" }, 400, /invalid scheme/],
    ["an unknown URL group", { urlGroup: "nobody" }, 400, /invalid scheme/],
    [
      "a deduplication id with a colon",
      { url: URL_A, deduplicationId: "a:b" },
      400,
      "DeduplicationId cannot contain ':'",
    ],
    ["a delay without a unit", { url: URL_A, headers: { "Upstash-Delay": "10" } }, 400, /delay/],
    ["a delay of more than a year", { url: URL_A, delay: "366d" }, 412, /maxDelay/],
    ["a time more than a year away", { url: URL_A, notBefore: 4e9 }, 412, /maxDelay/],
    [
      "a time that is none",
      { url: URL_A, headers: { "Upstash-Not-Before": "soon" } },
      400,
      /before/,
    ],
    [
      "a timeout that is none",
      { url: URL_A, headers: { "Upstash-Timeout": "0s" } },
      400,
      /timeout/,
    ],
    [
      "fields to redact that are none",
      { url: URL_A, headers: { "Upstash-Redact-Fields": "x" } },
      400,
      /redact/,
    ],
    ["retries that are none", { url: URL_A, headers: { "Upstash-Retries": "-1" } }, 400, /retries/],
    ["a thousand retries", { url: URL_A, retries: 1000 }, 412, /maxRetries/],
    ["a retry delay that is none", { url: URL_A, retryDelay: "retried +" }, 400, /retry delay/],
    ["a method that is none", { url: URL_A, headers: {}, method: "BREW" as "POST" }, 400, /method/],
    ["a callback without a scheme", { url: URL_A, callback: "cb.example" }, 400, /callback url/],
    [
      "a delayed callback",
      { url: URL_A, callback: "https://cb", headers: { "Upstash-Callback-Delay": "1s" } },
      400,
      /delayed callbacks/,
    ],
    [
      "a flow control key without a value",
      { url: URL_A, headers: { "Upstash-Flow-Control-Key": "k" } },
      400,
      /flow control/,
    ],
    ...["Upstash-Workflow-RunId", "Upstash-Callback-Workflow-Url", "Upstash-Workflow-Init"].map((
      name,
    ): [string, PublishRequest, number, RegExp] => [
      `a step of a workflow, by ${name}`,
      { url: URL_A, headers: { [name]: "x" } },
      400,
      /workflows are not supported.*: got the header upstash-(callback-)?workflow-/,
    ]),
    [
      "a flag that is neither true nor false",
      { url: URL_A, headers: { "Upstash-Content-Based-Deduplication": "yes" } },
      400,
      /want true or false/,
    ],
    [
      "a body over the plan's limit",
      { url: URL_A, body: "x".repeat(10 * 1024 * 1024 + 1) },
      413,
      /maxMessageSize/,
    ],
    [
      "headers of 65 KiB",
      { url: URL_A, headers: { "X-Bomb": "x".repeat(65 * 1024) } },
      431,
      /headers/,
    ],
  ];
  for (const [what, request, status, text] of refused) {
    it(`refuses ${what}`, async () => {
      const from = qstash.deliveries.length;
      await rejectsWith(qstash.client.publish(request), status, text);
      await qstash.emulator.drain();
      assert.equal(qstash.deliveries.length, from);
    });
  }
});
