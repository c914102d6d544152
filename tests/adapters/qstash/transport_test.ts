import { boundUrl } from "../../../adapters/qstash/dialect/binding.ts";
import { BATCH_CONTENT_TYPE } from "../../../core/wire/wire.ts";
import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { Client } from "@upstash/qstash";
import type { QstashFaults } from "../../../devtools/qstash_emulator/mod.ts";
import { qstashTransport, type QstashTransportOptions } from "../../../adapters/qstash/mod.ts";
import type { Message } from "../../../core/message/message.ts";
import type { SendResult } from "../../../core/ports/transport.ts";
import { testMessage, testMessages } from "../../support/http.ts";
import { virtualQstash, type VirtualQstashFixture } from "../../support/qstash.ts";

const DELIVER = "https://a.example/deliver";
const SENT: SendResult = { kind: "sent" };
const SIGNAL = new AbortController().signal;

interface Sent {
  readonly results: SendResult[];
  readonly qstash: VirtualQstashFixture;
  /** The requests to QStash's API, by method and path. */
  readonly requests: readonly string[];
}

/** Sends messages, has them delivered, and looks at what came of it. */
async function sending(
  messages: readonly Message[],
  look: (sent: Sent) => void | Promise<void>,
  options: Partial<QstashTransportOptions> = {},
  faults: QstashFaults = {},
): Promise<void> {
  const requests: string[] = [];
  const qstash = await virtualQstash(() => 200, {
    faults: {
      ...faults,
      api: (request) => {
        requests.push(`${request.method} ${request.path}`);
        return faults.api?.(request);
      },
    },
  });
  const { client, clock } = qstash;
  try {
    const transport = qstashTransport({ client, clock, routes: { "#": DELIVER }, ...options });
    const results = await transport.send(messages, SIGNAL);
    await qstash.emulator.settled();
    await look({ results, qstash, requests });
  } finally {
    await qstash.close();
  }
}

function kinds(results: readonly SendResult[]): string[] {
  return results.map((result) => {
    if (result.kind !== "failed") return result.kind;
    return result.retryable ? "retried" : "failed";
  });
}

function reasonOf(result: SendResult | undefined): string {
  return result?.kind === "failed" ? result.reason : "";
}

describe("QStash transport: what it sends", () => {
  it("is one request for many, in parts of the size that is allowed", async () => {
    await sending(testMessages(250), ({ results, requests, qstash }) => {
      assert.deepEqual(kinds(results), results.map(() => "sent"));
      assert.deepEqual(requests, Array(3).fill("POST /v2/batch"));
      assert.equal(qstash.deliveries.length, 250);
    });
    const body = JSON.stringify("a".repeat(3_000));
    const large = testMessages(4).map((message) => ({ ...message, body }));
    await sending(large, ({ results, requests }) => {
      assert.deepEqual(results, large.map(() => SENT));
      assert.equal(requests.length, 2);
    }, { maxRequestBytes: 10_000 });
  });

  it("carries bytes alone, and beside them the rest together", async () => {
    const bytes = testMessage({
      id: "bytes",
      contentType: "application/octet-stream",
      body: Uint8Array.of(0, 255, 128),
    });
    const messages = [...testMessages(2), bytes, testMessage({ id: "m-9" })];
    await sending(messages, ({ results, requests, qstash }) => {
      assert.deepEqual(results, messages.map(() => SENT));
      const [batch, single] = requests.toSorted();
      assert.equal(batch, "POST /v2/batch");
      assert.ok(single?.startsWith(`POST /v2/publish/${DELIVER}?atlast-bound=`), single);
      const arrived = qstash.deliveries.find(({ headers }) =>
        headers.get("cap-msg-id") === "bytes"
      );
      assert.deepEqual([...arrived!.body], [0, 255, 128]);
      assert.equal(arrived!.headers.get("content-type"), "application/octet-stream");
    });
  });

  it("says how QStash is to deliver it", async () => {
    const messages = [testMessage({ id: "a" }), testMessage({ id: "b", name: "slow.one" })];
    const bodies: string[] = [];
    const client = {
      ...new FakeClient(),
      batch: (requests: unknown) => {
        bodies.push(JSON.stringify(requests));
        return Promise.resolve(messages.map(() => ({ messageId: "msg_1" })));
      },
    };
    const transport = qstashTransport({
      client,
      routes: { "#": DELIVER, "slow.*": { urlGroup: "slow-ones" } },
      failureCallback: "https://orders.example/dead-letter",
      answerTimeoutS: 20,
      retry: { kind: "fixed", delayMs: 5_000, maxAttempts: 3 },
      labels: ["orders"],
      delayMs: 1_001,
      choose: ({ name }) =>
        name === "slow.one"
          ? {
            notBeforeMs: 1_800_000_000_400,
            labels: ["slow", "b"],
            flowControl: { key: "slow", parallelism: 2, rate: 5, periodS: 60 },
          }
          : {},
    });
    assert.deepEqual(await transport.send(messages, SIGNAL), [SENT, SENT]);
    const [a, b] = JSON.parse(bodies[0]!);
    const { url, headers, body, deduplicationId, ...rest } = a;
    const { "x-atlast-sent": _, ...bound } = headers;
    assert.equal(url, await boundUrl(DELIVER, new Headers(bound)));
    assert.deepEqual(rest, {
      method: "POST",
      retries: 6,
      retryDelay: "5000",
      timeout: 20,
      failureCallback: "https://orders.example/dead-letter",
      delay: 2,
      label: ["orders"],
    });
    assert.match(deduplicationId, /^a\.[\w-]{16}$/);
    assert.equal(body, messages[0]!.body);
    assert.equal(headers["cap-msg-id"], "a");
    // The endpoints of a group have URLs of their own, so all of it goes in the body.
    assert.equal(b.headers["content-type"], BATCH_CONTENT_TYPE);
    assert.deepEqual(Object.keys(b.headers).filter((name) => name.startsWith("cap-")), []);
    assert.deepEqual([b.urlGroup, b.url, b.notBefore, b.delay, b.label], [
      "slow-ones",
      undefined,
      1_800_000_001,
      undefined,
      ["slow", "b"],
    ]);
    assert.deepEqual(b.flowControl, { key: "slow", parallelism: 2, rate: 5, period: 60 });
  });

  it("reaches every endpoint of a URL group", async () => {
    const qstash = await virtualQstash();
    const { client, clock } = qstash;
    const urls = ["https://a.example/deliver", "https://b.example/deliver"];
    await client.urlGroups.addEndpoints({
      name: "both",
      endpoints: urls.map((url) => ({ url })),
    });
    const transport = qstashTransport({ client, clock, routes: { "#": { urlGroup: "both" } } });
    assert.deepEqual(await transport.send(testMessages(2), SIGNAL), [SENT, SENT]);
    assert.deepEqual(await transport.send(testMessages(1), SIGNAL), [SENT]);
    await qstash.emulator.settled();
    assert.deepEqual(qstash.deliveries.map(({ url }) => url).sort(), [...urls, ...urls].sort());
    await qstash.close();
  });

  it("is taken by QStash once, however often it is sent while QStash remembers it", async () => {
    const qstash = await virtualQstash();
    const { client, clock, emulator } = qstash;
    const transport = qstashTransport({ client, clock, routes: { "#": DELIVER } });
    const messages = [testMessage(), testMessage({ id: "bestellung:日本" })];
    for (let time = 0; time < 3; time++) {
      assert.deepEqual(await transport.send(messages, SIGNAL), [SENT, SENT]);
      await emulator.advance(60_000);
    }
    assert.equal(qstash.deliveries.length, 2);
    await qstash.close();
  });
});

describe("QStash transport: what goes wrong", () => {
  it("for one message of a batch that QStash refuses whole: fails alone, for good", async () => {
    const messages = testMessages(9).map((message, i) =>
      i === 3 ? { ...message, name: "order.bad" } : message
    );
    await sending(messages, ({ results, qstash }) => {
      assert.deepEqual(kinds(results), results.map((_, i) => i === 3 ? "failed" : "sent"));
      assert.match(reasonOf(results[3]), /QStash refused it \(400\): /);
      assert.equal(qstash.deliveries.length, 8);
    }, { routes: { "#": DELIVER, "order.bad": { urlGroup: "not-there" } } });
  });

  it("for an item that QStash answers with an error: is tried again, and its neighbours are sent", async () => {
    await sending(
      testMessages(3),
      ({ results }) => {
        assert.deepEqual(kinds(results), ["sent", "retried", "sent"]);
        assert.match(reasonOf(results[1]), /QStash did not take it: no room/);
      },
      {},
      { batchItem: ({ index }) => index === 1 ? "no room" : undefined },
    );
  });

  it("that is too large fails alone, without a request", async () => {
    const messages = [testMessage({ id: "a", body: "x".repeat(2_000) }), testMessage({ id: "b" })];
    await sending(messages, ({ results }) => {
      assert.deepEqual(kinds(results), ["failed", "sent"]);
      assert.match(reasonOf(results[0]), /2000 bytes: want 1000/);
    }, { maxMessageBytes: 1_000 });
  });

  it("with choices that do not hold fails alone, and shows in words why", async () => {
    await sending(testMessages(2), ({ results }) => {
      assert.deepEqual(kinds(results), ["failed", "sent"]);
      assert.match(reasonOf(results[0]), /flowControl without a limit/);
    }, { choose: ({ id }) => id === "m-1" ? { flowControl: { key: "k" } } : {} });
  });

  it("with a name that has no route, or a destination of its own, is not sent from here", async () => {
    const own = { "atlast-destination": "https://elsewhere.example/" };
    const messages = [testMessage({ name: "other" }), testMessage({ headers: own })];
    await sending(messages, ({ results, requests }) => {
      assert.deepEqual(kinds(results), ["unroutable", "unroutable"]);
      assert.deepEqual(requests, []);
    }, { routes: { "order.*": DELIVER } });
    const transport = qstashTransport({ token: "t", routes: { "order.*": DELIVER } });
    assert.equal(transport.routes("order.placed"), true);
    assert.equal(transport.routes("other"), false);
    assert.equal(transport.routes("order.placed", own), false);
  });

  for (const [kind, reset] of [["burst", 1_000], ["daily", 24 * 3_600_000]] as const) {
    it(`when the ${kind} limit is reached: waits until it is reset, and does not ask before`, async () => {
      const requests: string[] = [];
      const qstash = await virtualQstash(() => 200, {
        faults: { api: ({ path }) => void requests.push(path) },
      });
      const { client, clock, emulator } = qstash;
      const transport = qstashTransport({ client, clock, routes: { "#": DELIVER }, maxBatch: 2 });
      emulator.rateLimit(kind);
      const [result] = await transport.send(testMessages(1), SIGNAL);
      assert.ok(result?.kind === "failed" && result.retryable);
      assert.equal(result.delayedBy, "rate_limit");
      const waitMs = result.retryAfterMs ?? 0;
      assert.ok(waitMs >= 1_000 && waitMs <= reset + 1_000, String(waitMs));
      clock.advance(waitMs - 1);
      assert.deepEqual(
        kinds(await transport.send(testMessages(5), SIGNAL)),
        Array(5).fill("retried"),
      );
      assert.equal(requests.length, 1);
      clock.advance(1);
      assert.deepEqual(await transport.send(testMessages(1), SIGNAL), [SENT]);
      await qstash.close();
    });
  }

  const answers: Readonly<Record<string, readonly [number, string, string, RegExp]>> = {
    "a wrong token": [401, `{"error":"unable to authenticate"}`, "retried", /is the token right/],
    "an account over its quota": [412, `{"error":"quota exceeded"}`, "retried", /quota exceeded/],
    "an error of its own": [500, "<html>secret</html>", "retried", /^QStash answered 500$/],
    "what is no JSON": [200, "hello", "retried", /did not answer in JSON/],
    "fewer results than messages": [200, `[{"messageId":"m"}]`, "retried", /no id for it/],
    "a host that does not resolve": [
      400,
      `{"error":"invalid destination url: unable to resolve host"}`,
      "retried",
      /unable to resolve/,
    ],
  };
  for (const [name, [status, body, kind, reason]] of Object.entries(answers)) {
    it(`when QStash answers with ${name}: is ${kind}`, async () => {
      await sending(
        testMessages(2),
        ({ results }) => {
          assert.deepEqual(kinds(results), [kind, kind]);
          assert.match(reasonOf(results[0]), reason);
          assert.doesNotMatch(reasonOf(results[0]), /secret/);
        },
        {},
        { api: () => ({ kind: "answer", status, body }) },
      );
    });
  }

  it("when the answer is lost: is sent again, and delivered once", async () => {
    const qstash = await virtualQstash(() => 200, {
      faults: { api: ({ count }) => count === 1 ? { kind: "answer_lost" } : undefined },
    });
    const { client, clock } = qstash;
    const transport = qstashTransport({ client, clock, routes: { "#": DELIVER } });
    assert.deepEqual(kinds(await transport.send(testMessages(2), SIGNAL)), ["retried", "retried"]);
    assert.deepEqual(await transport.send(testMessages(2), SIGNAL), [SENT, SENT]);
    await qstash.emulator.settled();
    assert.equal(qstash.deliveries.length, 2);
    await qstash.close();
  });

  it("when QStash does not answer: ends with the time, or with the signal", async () => {
    const client = { ...new FakeClient(), batch: () => new Promise<never>(() => {}) };
    const transport = qstashTransport({
      client,
      routes: { "#": DELIVER },
      timeoutMs: 20,
      maxBatch: 1,
    });
    const results = await transport.send(testMessages(20), SIGNAL);
    assert.deepEqual(kinds(results), Array(20).fill("retried"));
    const patient = qstashTransport({ client, routes: { "#": DELIVER } });
    const stop = new AbortController();
    const stopped = patient.send(testMessages(1), stop.signal);
    stop.abort();
    assert.match(reasonOf((await stopped)[0]), /^The bus stopped/);
  });
});

describe("QStash transport: what it is given", () => {
  it("is not changed, whatever the client does to what it gets", async () => {
    const messages = [testMessage({ headers: { "x-a": "1" } }), testMessage({ id: "m-2" })];
    const options = {
      routes: { "#": DELIVER },
      labels: ["a"],
      flowControl: { key: "k", parallelism: 1 },
    };
    const before = structuredClone({ messages, options });
    const client = {
      ...new FakeClient(),
      batch: (requests: Record<string, unknown>[]) => {
        const answers = requests.map(() => ({ messageId: "m" }));
        for (const request of requests) {
          request["body"] = "changed";
          (request["headers"] as Record<string, string>)["x-b"] = "2";
          (request["label"] as string[]).push("b");
          (request["flowControl"] as Record<string, unknown>)["key"] = "other";
        }
        return Promise.resolve(answers);
      },
    };
    const transport = qstashTransport({ ...options, client });
    await transport.send(messages, SIGNAL);
    await transport.send(messages, SIGNAL);
    assert.deepEqual({ messages, options }, before);
  });

  it("is all it goes by: no variable of the environment matters", async () => {
    const qstash = await virtualQstash();
    const { emulator, url } = qstash;
    const names = ["URL", "TOKEN", "DEV", "REGION", "CURRENT_SIGNING_KEY"]
      .map((name) => `QSTASH_${name}`);
    const before = names.map((name) => process.env[name]);
    const token = emulator.env(url)["QSTASH_TOKEN"]!;
    try {
      process.env["QSTASH_DEV"] = "true";
      process.env["QSTASH_URL"] = "http://127.0.0.1:1";
      process.env["QSTASH_TOKEN"] = "another";
      process.env["QSTASH_REGION"] = "US_EAST_1";
      const transport = qstashTransport({ token, baseUrl: `${url}/`, routes: { "#": DELIVER } });
      assert.deepEqual(await transport.send(testMessages(1), SIGNAL), [SENT]);
    } finally {
      names.forEach((name, i) => {
        if (before[i] === undefined) delete process.env[name];
        else process.env[name] = before[i];
      });
    }
    await emulator.settled();
    assert.equal(qstash.deliveries.length, 1);
    await qstash.close();
  });

  it("is refused where it makes no sense, and no secret is shown", () => {
    const wrong: Record<string, unknown>[] = [
      { token: undefined },
      { token: "secret\n" },
      { client: new FakeClient() },
      { baseUrl: "qstash" },
      { routes: { "a..b": DELIVER } },
      { routes: { a: "ftp://secret.example" } },
      { routes: { a: "https://u:secret@a.example" } },
      { routes: { a: `${DELIVER}#secret` } },
      { routes: { a: `${DELIVER}?Upstash-Retries=1&k=secret` } },
      { routes: { a: { urlGroup: "secret/../x" } } },
      { routes: { a: { urlGroup: ".." } } },
      { format: "xml" },
      { maxBatch: 0 },
      { maxMessageBytes: 0 },
      { answerTimeoutS: 0.5 },
      { labels: ["a,b"] },
      { labels: ["日本"] },
      { delayMs: -1 },
      { notBeforeMs: NaN },
      { flowControl: { key: "", rate: 1 } },
      { flowControl: { key: "k", rate: 0 } },
      { failureCallback: "/dead-letter" },
      { retry: { kind: "fixed", delayMs: -1, maxAttempts: 1 } },
    ];
    for (const options of wrong) {
      assert.throws(
        () => qstashTransport({ token: "t", routes: { a: DELIVER }, ...options } as never),
        ({ code, message }: Error & { code?: string }) =>
          ["invalid_option", "invalid_name"].includes(code ?? "") && !message.includes("secret"),
        JSON.stringify(Object.keys(options)),
      );
    }
    // The official client fits.
    qstashTransport({ client: new Client({ token: "t", devMode: false }), routes: {} });
  });
});

/** A client that does nothing. */
class FakeClient {
  readonly publish = () => Promise.resolve({ messageId: "m" });
  readonly batch = () => Promise.resolve([] as unknown[]);
  readonly dlq = {
    listMessages: () => Promise.resolve({ messages: [] }),
    retry: () => Promise.resolve({ responses: [] }),
  };
  readonly schedules = { create: () => Promise.resolve(), get: () => Promise.resolve() };
}
