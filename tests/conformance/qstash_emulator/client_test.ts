import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import process from "node:process";
import {
  Client,
  custom,
  QstashChatRatelimitError,
  QstashDailyRatelimitError,
  QstashRatelimitError,
  Receiver,
} from "@upstash/qstash";
import {
  officialClient,
  realQstash,
  virtualQstash,
  type VirtualQstashFixture,
} from "../../support/qstash.ts";
import { rejectsWith } from "../../support/qstash_errors.ts";

const URL_A = "https://a.example/";

describe("new Client", () => {
  let qstash: VirtualQstashFixture;

  before(async () => {
    qstash = await virtualQstash(() => 200, { readOnlyToken: "read-only" });
  });
  after(() => qstash.close());

  it("token: another is refused", async () => {
    const stranger = officialClient(qstash.emulator, qstash.url, "other");
    const text = "unable to authenticate: invalid token";
    await rejectsWith(stranger.publish({ url: URL_A }), 401, text);
    await rejectsWith(stranger.dlq.listMessages(), 401, text);
  });

  it("token: one to read may not change anything", async () => {
    const reader = officialClient(qstash.emulator, qstash.url, "read-only");
    assert.deepEqual((await reader.dlq.listMessages()).messages, []);
    await rejectsWith(reader.publish({ url: URL_A }), 403, /read only/);
    await rejectsWith(reader.messages.cancel({ all: true }), 403, /read only/);
  });

  it("headers: those of the client go with every message, and telemetry does not", async () => {
    const client = new Client({
      baseUrl: qstash.url,
      token: qstash.emulator.env("").QSTASH_TOKEN,
      devMode: false,
      headers: { "X-All": "1" },
    });
    await client.publish({ url: URL_A });
    await client.batch([{ url: URL_A }]);
    await qstash.emulator.drain();
    for (const { headers } of qstash.deliveries.slice(-2)) {
      assert.equal(headers.get("x-all"), "1");
      assert.equal([...headers.keys()].some((name) => name.includes("telemetry")), false);
    }
  });

  it("retry: a request that is lost is sent again, and one whose answer is lost is published once by its id", async () => {
    const lost = new Map([[1, "request_lost"], [2, "answer_lost"]] as const);
    const other = await virtualQstash(() => 200, {
      faults: {
        api: ({ count }) => {
          const kind = lost.get(count as 1 | 2);
          return kind === undefined ? undefined : { kind };
        },
      },
    });
    try {
      const client = new Client({
        baseUrl: other.url,
        token: other.emulator.env("").QSTASH_TOKEN,
        devMode: false,
        retry: { retries: 2, backoff: () => 0 },
      });
      const answer = await client.publish({ url: URL_A, deduplicationId: "once" });
      assert.equal((answer as { deduplicated?: boolean }).deduplicated, true);
      await other.emulator.drain();
      assert.equal(other.deliveries.length, 1);
    } finally {
      await other.close();
    }
  });

  it("baseUrl: query ?qstash_token= instead of a header, and it is not delivered", async () => {
    const token = qstash.emulator.env("").QSTASH_TOKEN;
    const query = `?x=1&qstash_token=${encodeURIComponent(token)}&upstash-method=PUT`;
    const response = await fetch(`${qstash.url}/v2/publish/${URL_A}${query}`, { method: "POST" });
    assert.equal(response.status, 200);
    await qstash.emulator.drain();
    const { url, method } = qstash.deliveries.at(-1)!;
    assert.deepEqual([url, method], [`${URL_A}?x=1`, "PUT"]);
  });

  for (
    const [method, path, status] of [
      ["GET", "/v2/publish/https://a.example", 405],
      ["PUT", "/v2/batch", 405],
      ["DELETE", "/v2/keys", 405],
      ["PATCH", "/v2/schedules/https://a.example", 405],
      ["GET", "/v2/nothing", 404],
      ["GET", "/", 404],
      ["POST", "/v2/publish/", 400],
      ["POST", "/v2/publish", 400],
      ["POST", "/v2/publish/https://", 400],
      ["POST", "/v2/publish/https:///path", 400],
      ["POST", "/v2/enqueue/q/nowhere", 400],
    ] as const
  ) {
    it(`${method} ${path} is answered by ${status}`, async () => {
      const response = await fetch(`${qstash.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}` },
      });
      assert.equal(response.status, status);
      assert.equal(typeof (await response.json()).error, "string");
    });
  }

  it("devMode: it finds this server in the place of the official one, with its token and keys", async () => {
    const port = process.env["QSTASH_DEV_PORT"];
    const dev = await realQstash(() => 200);
    try {
      process.env["QSTASH_DEV_PORT"] = new URL(dev.url).port;
      const client = new Client({ devMode: true });
      await client.publish({ url: URL_A, body: "b" });
      await dev.emulator.idle();
      const [delivery] = dev.deliveries;
      const signature = delivery!.headers.get("upstash-signature")!;
      const receiver = new Receiver({ devMode: true });
      assert.ok(await receiver.verify({ signature, body: "b", url: URL_A }));
    } finally {
      if (port === undefined) delete process.env["QSTASH_DEV_PORT"];
      else process.env["QSTASH_DEV_PORT"] = port;
      await dev.close();
    }
  });
});

describe("429", () => {
  it("daily: QstashDailyRatelimitError, once or as often as said", async () => {
    const qstash = await virtualQstash();
    try {
      qstash.emulator.rateLimit("daily", { times: 2 });
      for (let n = 0; n < 2; n++) {
        const error = await qstash.client.publish({ url: URL_A }).catch((error) => error);
        assert.ok(error instanceof QstashDailyRatelimitError);
        assert.match(error.message, /"limit":"1000","remaining":"0","reset":"\d+"/);
      }
      await qstash.client.publish({ url: URL_A });
      await qstash.emulator.drain();
    } finally {
      await qstash.close();
    }
  });

  it("daily: more messages than the plan has in a day, until midnight", async () => {
    const qstash = await virtualQstash(() => 200, { limits: { messagesPerDay: 3 } });
    try {
      await qstash.client.publish({ url: URL_A });
      const three = [{ url: URL_A }, { url: URL_A }, { url: URL_A }];
      const error = await qstash.client.batch(three).catch((error) => error);
      assert.ok(
        error instanceof QstashDailyRatelimitError,
        "a batch that does not fit is refused as one",
      );
      await qstash.client.batch(three.slice(1));
      await qstash.emulator.drain();
      assert.equal(qstash.deliveries.length, 3);
      const reset = Number(/"reset":"(\d+)"/.exec(error.message)![1]) * 1000;
      assert.equal(reset % 86_400_000, 0);
      await qstash.emulator.advance(reset - qstash.clock.now());
      await qstash.client.batch(three);
      await qstash.emulator.drain();
    } finally {
      await qstash.close();
    }
  });

  it("burst: QstashRatelimitError", async () => {
    const qstash = await virtualQstash();
    try {
      qstash.emulator.rateLimit("burst");
      const error = await qstash.client.dlq.listMessages().catch((error) => error);
      assert.ok(error instanceof QstashRatelimitError);
      assert.equal(error.status, 429);
      assert.deepEqual((await qstash.client.dlq.listMessages()).messages, []);
    } finally {
      await qstash.close();
    }
  });

  it("chat: QstashChatRatelimitError", async () => {
    const qstash = await virtualQstash();
    try {
      qstash.emulator.rateLimit("chat");
      const token = qstash.emulator.env("").QSTASH_TOKEN;
      const call = qstash.client.chat().create({
        provider: custom({ baseUrl: qstash.url, token }),
        model: "m",
        messages: [{ role: "user", content: "hello" }],
      });
      const error = await call.catch((error) => error);
      assert.ok(error instanceof QstashChatRatelimitError, String(error));
    } finally {
      await qstash.close();
    }
  });
});
