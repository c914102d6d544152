import { describe, it, mock } from "node:test";
import assert from "node:assert/strict";
import { Hono } from "hono";
import { AtlastError, type ErrorCode } from "../../core/errors.ts";
import type { DeliveryResult } from "../../core/ports/transport.ts";
import { BATCH_CONTENT_TYPE, batchItem, batchOf } from "../../core/wire/wire.ts";
import {
  type App,
  type AppOptions,
  createApp,
  type EdgeBus,
  type Verify,
  verifyBearer,
} from "../../edge/mod.ts";
import { FakeReceiver } from "../support/fake_receiver.ts";
import { testMessage, testMessages } from "../support/http.ts";

const TOKEN = "0123456789abcdef";
const pass: Verify = () => ({ ok: true });

describe("delivering one message", () => {
  const single = { "cap-msg-id": "m-1", "cap-msg-name": "order.placed" };

  const outcomes: [DeliveryResult, number, unknown][] = [
    [{ kind: "handled", duplicate: false, reply: `"secret"` }, 200, result("handled")],
    [{ kind: "handled", duplicate: true, reply: null }, 200, result("handled")],
    [{ kind: "accepted" }, 202, result("accepted")],
    [{ kind: "failed", duplicate: false, reason: "secret" }, 422, result("failed")],
    [
      { kind: "no_subscriber" },
      404,
      refusal("no_subscriber", `Cannot deliver "order.placed": nothing here subscribes to it`),
    ],
    [
      { kind: "refused", reason: "Full", retryAfterMs: 1200 },
      503,
      refusal("refused", "Cannot take it now: Full", 1200),
    ],
    [{ kind: "rejected", reason: "No" }, 489, refusal("rejected", "Cannot take it at all: No")],
  ];
  for (const [outcome, status, body] of outcomes) {
    it(`answers ${status} when it is ${outcome.kind}`, async () => {
      const response = await post(app(new FakeReceiver(() => outcome)), single, "{}");
      assert.equal(response.status, status);
      assert.deepEqual(await response.json(), body);
      assert.equal(response.headers.get("retry-after"), status === 503 ? "2" : null);
      // That is what QStash reads; who delivers here is not QStash.
      assert.equal(response.headers.get("upstash-nonretryable-error"), null);
      assert.equal(response.headers.get("cache-control"), "no-store");
    });
  }

  it("asks to come again when it must be, and never later than QStash heeds", async () => {
    const asked: [number | undefined, string | null][] = [
      [undefined, null],
      [0, "0"],
      [-5, "0"],
      [1, "1"],
      [86_400_000, "86400"],
      [86_400_001, "86400"],
    ];
    for (const [retryAfterMs, header] of asked) {
      const wish = retryAfterMs === undefined ? {} : { retryAfterMs };
      const bus = new FakeReceiver(() => ({ kind: "refused", reason: "Full", ...wish }));
      const response = await post(app(bus), single, "{}");
      assert.equal(response.headers.get("retry-after"), header);
      assert.equal((await response.json()).error.retryAfterMs, retryAfterMs);
    }
  });

  it("takes the message's own headers, in any case, and no others", async () => {
    const bus = new FakeReceiver();
    const headers = {
      "CAP-Msg-Id": "m-1",
      "Cap-Msg-Name": "a.b",
      "Content-Type": "text/plain",
      "cap-senttime": "2026-01-02T03:04:05.678Z",
      "Cap-Callback-Name": "c.d",
      traceparent: "00-1-2-01",
      authorization: `Bearer ${TOKEN}`,
      cookie: "session=1",
      host: "internal",
      "webhook-signature": "v1,x",
      "x-forwarded-for": "10.0.0.1",
      "content-length": "2",
    };
    assert.equal((await post(app(bus), headers, "{}")).status, 200);
    assert.deepEqual(bus.delivered, [
      testMessage({
        name: "a.b",
        headers: { "cap-callback-name": "c.d", traceparent: "00-1-2-01" },
        contentType: "text/plain",
        body: "{}",
      }),
    ]);
  });

  it("answers 400 for what cannot be read, and quotes no body", async () => {
    const bad: Record<string, string>[] = [
      { "cap-msg-id": "m-1" },
      { "cap-msg-name": "a" },
      { "cap-msg-id": "", "cap-msg-name": "a" },
      { "cap-msg-id": "i".repeat(201), "cap-msg-name": "a" },
      { "cap-msg-id": "m-1", "cap-msg-name": "not a name" },
    ];
    for (const headers of bad) {
      const bus = new FakeReceiver();
      const response = await post(app(bus), headers, "secret");
      assert.equal(response.status, 400);
      assert.match(await response.text(), /^\{"error":\{"code":"\w+","message":"Cannot [^]*want /);
      assert.deepEqual(bus.delivered, []);
    }
  });

  it("answers 431 for headers over their limit", async () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`cap-x-${i}`, "1"]));
    for (const bomb of [many, { "cap-x": "y".repeat(9000) }]) {
      assert.equal((await post(app(), { ...single, ...bomb }, "{}")).status, 431);
    }
  });

  it("answers 415 for what is neither a message nor a batch, or is compressed", async () => {
    const strangers: Record<string, string>[] = [
      {},
      { "content-type": "application/json" },
      { "content-type": "text/html", "cap-x": "1" },
      { ...single, "content-encoding": "gzip" },
    ];
    for (const headers of strangers) {
      const response = await post(app(), headers, `{"messages":[]}`);
      assert.equal(response.status, 415);
      assert.equal((await response.json()).error.code, "unsupported_media_type");
    }
    const plain = await post(app(), { ...single, "content-encoding": "identity" }, "{}");
    assert.equal(plain.status, 200);
  });
});

describe("delivering a batch", () => {
  const kinds: DeliveryResult[] = [
    { kind: "handled", duplicate: false, reply: null },
    { kind: "no_subscriber" },
    { kind: "refused", reason: "Full", retryAfterMs: 5 },
    { kind: "failed", duplicate: true, reason: "secret" },
    { kind: "accepted" },
    { kind: "rejected", reason: "No" },
  ];

  it("answers for each message, and delivers what is good beside what is not", async () => {
    const bus = new FakeReceiver(({ id }) => kinds[Number(id.slice(2)) - 1]!);
    const items = testMessages(kinds.length).map(batchItem);
    items.splice(1, 0, `{"headers":{"cap-msg-id":"bad","cap-msg-name":"a b"},"body":"{}"}`, "7");
    const response = await postBatch(app(bus), batchOf(items));
    assert.equal(response.status, 200);
    const { results } = await response.json();
    const reasons = results.splice(1, 2);
    assert.deepEqual(
      reasons.map(({ id, status, code }: Record<string, string>) => [id, status, code]),
      [
        ["bad", "malformed", "invalid_name"],
        [null, "malformed", "malformed_message"],
      ],
    );
    assert.match(reasons[0].reason, /^Cannot use "a b" as a message name/);
    assert.deepEqual(results, [
      { id: "m-1", status: "handled" },
      { id: "m-2", status: "no_subscriber" },
      { id: "m-3", status: "refused", reason: "Full", retryAfterMs: 5 },
      { id: "m-4", status: "failed" },
      { id: "m-5", status: "accepted" },
      { id: "m-6", status: "rejected", reason: "No" },
    ]);
    assert.equal(bus.delivered.length, kinds.length);
  });

  it("of nothing but bad messages does not trouble the bus", async () => {
    const bus = new FakeReceiver();
    const deliver = mock.method(bus, "deliver");
    const response = await postBatch(app(bus), `{"messages":[{},{"headers":{"cap-msg-id":7}}]}`);
    assert.equal(response.status, 400);
    const { error, results } = await response.json();
    assert.equal(error.code, "malformed_message");
    assert.deepEqual(
      results.map(({ id, status }: { id: string | null; status: string }) => [id, status]),
      [[null, "malformed"], ["7", "malformed"]],
    );
    assert.equal(deliver.mock.callCount(), 0);
  });

  it("answers 400 for what is no batch", async () => {
    const bad: BodyInit[] = ["", "{", "<html>", "[]", `{"messages":7}`, `{"messages":[]}`];
    bad.push(new Uint8Array([0xff]), "[".repeat(100_000), `{"messages":${"[".repeat(100_000)}`);
    for (const body of bad) {
      const response = await postBatch(app(), body);
      assert.equal(response.status, 400);
      assert.equal((await response.json()).error.code, "malformed_message");
    }
  });

  it("takes a message that is nested deep for what it is", async () => {
    const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
    const good = batchItem(testMessage());
    const response = await postBatch(app(), `{"messages":[{"headers":${deep}},${good}]}`);
    const statuses = response.status === 200
      ? (await response.json()).results.map(({ status }: { status: string }) => status)
      : [];
    // A platform whose parser goes no deeper says that it is no batch.
    assert.ok(response.status === 400 || statuses.join() === "malformed,handled");
  });

  it("answers 413 for too many messages", async () => {
    const response = await postBatch(app(), batchOf(Array.from({ length: 1001 }, () => "{}")));
    assert.equal(response.status, 413);
  });
});

describe("the limit on a body", () => {
  const headers = { "cap-msg-id": "m-1", "cap-msg-name": "a" };

  it("is held by content-length, before anything is read", async () => {
    const { stream, pulled } = endless();
    const response = await post(app(undefined, { maxBodyBytes: 10 }), {
      ...headers,
      "content-length": "11",
    }, stream);
    assert.equal(response.status, 413);
    assert.ok(pulled() <= 1);
  });

  it("is held while reading, when there is no content-length or a wrong one", async () => {
    for (const length of [{}, { "content-length": "3" }]) {
      const { stream, pulled } = endless();
      const response = await post(
        app(undefined, { maxBodyBytes: 100 }),
        { ...headers, ...length },
        stream,
      );
      assert.equal(response.status, 413);
      assert.equal((await response.json()).error.code, "too_large");
      assert.ok(pulled() <= 13);
    }
  });

  it("lets a body pass that just fits", async () => {
    const bus = new FakeReceiver();
    const response = await post(app(bus, { maxBodyBytes: 10 }), headers, "0123456789");
    assert.equal(response.status, 200);
    assert.equal(bus.delivered[0]?.body, "0123456789");
  });
});

describe("who may", () => {
  const refuseAs = (kind: "unauthenticated" | "forbidden"): Verify => () =>
    Promise.resolve({ ok: false, kind, reason: "Cannot: want another" });

  it("is decided by verify, from the request and its raw body", async () => {
    const bus = new FakeReceiver();
    const seen: unknown[] = [];
    const verify: Verify = ({ method, url, headers }, body) => {
      seen.push(method, url, headers.get("cap-msg-id"), [...body]);
      return { ok: true };
    };
    const headers = { "cap-msg-id": "m-1", "cap-msg-name": "a" };
    await post(createApp(bus, { verify }), headers, new Uint8Array([0xff, 0]));
    assert.deepEqual(seen, ["POST", "http://localhost/deliver", "m-1", [0xff, 0]]);
  });

  for (const [kind, status] of [["unauthenticated", 401], ["forbidden", 403]] as const) {
    it(`answers ${status} for one that is ${kind}, and does nothing`, async () => {
      const bus = new FakeReceiver();
      const verify = refuseAs(kind);
      const app = createApp(bus, { verify, tick: { verify } });
      for (const path of ["/deliver", "/tick"]) {
        const response = await app.request(path, { method: "POST" });
        assert.equal(response.status, status);
        assert.deepEqual(await response.json(), refusal(kind, "Cannot: want another"));
      }
      assert.deepEqual([bus.delivered, bus.budgetsMs], [[], []]);
    });
  }

  it("has a verifier of its own for ticks", async () => {
    const bus = new FakeReceiver();
    const tick = { verify: verifyBearer(["another-token-of-old", TOKEN]) };
    const app = createApp(bus, { verify: refuseAs("forbidden"), tick });
    const statusFor = async (authorization?: string) =>
      (await app.request(
        "/tick",
        authorization === undefined ? {} : { headers: { authorization } },
      ))
        .status;
    assert.equal(await statusFor(`Bearer ${TOKEN}`), 200);
    assert.equal(await statusFor("bearer another-token-of-old"), 200);
    const wrong = [undefined, "", TOKEN, "Bearer", `Basic ${TOKEN}`, `Bearer ${TOKEN}x`];
    wrong.push(`Bearer ${TOKEN.slice(0, -1)}`, "Bearer undefined", `Bearer ${TOKEN} x`);
    for (const authorization of wrong) assert.equal(await statusFor(authorization), 401);
    assert.equal(bus.budgetsMs.length, 2);
  });

  it("cannot be left out, and a token must be worth the name", () => {
    const none = {} as unknown as AppOptions;
    assert.throws(() => createApp(new FakeReceiver(), none), { code: "invalid_option" });
    for (const tokens of ["", "short", [], [TOKEN, ""], undefined, [undefined]]) {
      assert.throws(() => verifyBearer(tokens as string), (error: Error & { code?: string }) => {
        assert.equal(error.code, "invalid_option");
        return !error.message.includes("short");
      });
    }
  });
});

describe("a tick", () => {
  it("has a budget within bounds", async () => {
    const bus = new FakeReceiver();
    const queries = [
      "",
      "?budgetMs=1",
      "?budgetMs=20000",
      "?budgetMs=55001",
      "?budgetMs=999999999",
    ];
    for (const query of queries) {
      const response = await app(bus).request(`/tick${query}`, { method: "POST" });
      assert.deepEqual(await response.json(), { sent: 1, nextDueAtMs: null });
    }
    assert.deepEqual(bus.budgetsMs, [10_000, 1, 20_000, 55_000, 55_000]);
  });

  it("with a budget that is none is refused", async () => {
    const bus = new FakeReceiver();
    for (const budget of ["", "0", "-1", "1.5", "1e3", "ten", "9999999999"]) {
      const response = await app(bus).request(`/tick?budgetMs=${budget}`, { method: "POST" });
      assert.equal(response.status, 400);
    }
    assert.deepEqual(bus.budgetsMs, []);
  });

  it("may come by GET, as some crons send it, and with a small body", async () => {
    assert.equal((await app().request("/tick")).status, 200);
    const method = "POST";
    assert.equal((await app().request("/tick", { method, body: "{}" })).status, 200);
    const body = "x".repeat(70_000);
    assert.equal((await app().request("/tick", { method, body })).status, 413);
  });
});

describe("health", () => {
  it("says that the process is alive without asking the bus", async () => {
    const bus = { health: () => Promise.reject(new Error()) } as unknown as EdgeBus;
    const response = await app(bus).request("/health");
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { status: "alive" });
  });

  it("says whether the bus is ready", async () => {
    const bus = new FakeReceiver();
    assert.equal((await app(bus).request("/ready")).status, 200);
    bus.healthReport = { ready: false, store: "down", running: true, reason: "No answer" };
    const response = await app(bus).request("/ready");
    assert.equal(response.status, 503);
    assert.deepEqual(await response.json(), bus.healthReport);
  });
});

describe("what goes wrong", () => {
  const headers = { "cap-msg-id": "m-1", "cap-msg-name": "a" };
  const failing = (error: unknown): EdgeBus =>
    Object.assign(new FakeReceiver(), { deliver: () => Promise.reject(error) });

  it("unexpectedly is told to nobody but onError", async () => {
    const errors: unknown[] = [];
    const thrown = [new Error("secret"), "secret", new AtlastError("unsupported", "secret")];
    for (const error of thrown) {
      const onError: AppOptions["onError"] = (seen, { requestId }) => errors.push(seen, requestId);
      const response = await post(app(failing(error), { onError }), headers, "{}");
      assert.equal(response.status, 500);
      const { code, message, requestId } = (await response.json()).error;
      assert.equal(code, "internal");
      assert.ok(!message.includes("secret"));
      assert.deepEqual(errors.splice(0), [error, requestId]);
    }
  });

  it("is logged without its words when there is no onError", async () => {
    const log = mock.method(console, "error", () => {});
    try {
      await post(app(failing(new TypeError("secret"))), headers, "{}");
      const [line] = log.mock.calls.map(({ arguments: words }) => words.join(" "));
      assert.match(line!, /^Atlast: request [\w-]{36} ended with TypeError/);
      assert.ok(!line!.includes("secret"));
    } finally {
      log.mock.restore();
    }
  });

  it("with a code has the status of that code", async () => {
    const statuses: [ErrorCode, number][] = [
      ["malformed_message", 400],
      ["forbidden", 403],
      ["id_conflict", 409],
      ["too_large", 413],
      ["stopped", 503],
      ["not_migrated", 503],
    ];
    for (const [code, status] of statuses) {
      const words = status === 503 ? "secret" : "Cannot do it";
      const response = await post(app(failing(new AtlastError(code, words))), headers, "{}");
      assert.equal(response.status, status);
      assert.equal(response.headers.get("retry-after"), status === 503 ? "5" : null);
      const { error } = await response.json();
      assert.equal(error.code, code);
      assert.ok(!error.message.includes("secret"));
    }
  });

  it("with a bus that answers for fewer messages is no success", async () => {
    const bus = Object.assign(new FakeReceiver(), { deliver: () => Promise.resolve([]) });
    const response = await post(app(bus, { onError: () => {} }), headers, "{}");
    assert.equal(response.status, 500);
  });
});

describe("routes", () => {
  it("answer 405 with what is allowed, and 404 for other paths", async () => {
    const wrong: [string, string, string][] = [
      ["GET", "/deliver", "POST"],
      ["PUT", "/deliver", "POST"],
      ["OPTIONS", "/deliver", "POST"],
      ["DELETE", "/tick", "GET, HEAD, POST"],
      ["POST", "/health", "GET, HEAD"],
      ["POST", "/ready", "GET, HEAD"],
    ];
    for (const [method, path, allow] of wrong) {
      const response = await app().request(path, { method });
      assert.equal(response.status, 405, `${method} ${path}`);
      assert.equal(response.headers.get("allow"), allow);
      assert.equal((await response.json()).error.code, "method_not_allowed");
    }
    const missing = await app().request("/other");
    assert.equal(missing.status, 404);
    assert.equal((await missing.json()).error.code, "not_found");
    assert.equal((await app().request("/health", { method: "HEAD" })).status, 200);
  });

  it("stand under the base path", async () => {
    const based = app(undefined, { basePath: "/atlast/v1" });
    assert.equal((await based.request("/atlast/v1/health")).status, 200);
    assert.equal((await based.request("/health")).status, 404);
    assert.throws(() => app(undefined, { basePath: "atlast" }), { code: "invalid_option" });
    assert.throws(() => app(undefined, { maxBodyBytes: 0 }), { code: "invalid_option" });
  });

  it("stand in another Hono app, routed or mounted, with their own errors", async () => {
    const outer = new Hono<{ Bindings: { secret: string } }>();
    const bus = Object.assign(new FakeReceiver(), {
      tick: () => Promise.reject(new AtlastError("stopped", "x")),
    });
    const options = { verify: pass, tick: { verify: pass } };
    outer.route("/routed", createApp<Hono>(bus, options));
    outer.mount("/mounted", createApp(bus, options).fetch);
    outer.notFound((c) => c.text("outer", 404));
    for (const path of ["/routed", "/mounted"]) {
      assert.equal((await outer.request(`${path}/health`)).status, 200);
      assert.equal((await outer.request(`${path}/health`, { method: "POST" })).status, 405);
      assert.equal((await outer.request(`${path}/tick`)).status, 503);
    }
    assert.equal(await (await outer.request("/routed/other")).text(), "outer");
  });

  it("need no `this`", async () => {
    const { fetch } = app();
    assert.equal((await fetch(new Request("http://x/health"))).status, 200);
  });
});

function app(bus: EdgeBus = new FakeReceiver(), options: Partial<AppOptions> = {}): App {
  return createApp(bus, { verify: pass, tick: { verify: pass }, ...options });
}

async function post(app: App, headers: Record<string, string>, body: BodyInit): Promise<Response> {
  const init: RequestInit & { duplex: "half" } = { method: "POST", headers, body, duplex: "half" };
  return await app.request("/deliver", init);
}

function postBatch(app: App, body: BodyInit): Promise<Response> {
  return post(app, { "content-type": BATCH_CONTENT_TYPE }, body);
}

function result(status: string): unknown {
  return { results: [{ id: "m-1", status }] };
}

function refusal(code: string, message: string, retryAfterMs?: number): unknown {
  return { error: { code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } };
}

/** A body without an end, ten bytes at a time, and how many times it was asked for more. */
function endless(): { stream: ReadableStream<Uint8Array>; pulled: () => number } {
  let pulls = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulls++;
      controller.enqueue(new Uint8Array(10));
    },
  });
  return { stream, pulled: () => pulls };
}
