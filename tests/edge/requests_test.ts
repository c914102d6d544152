import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { memoryFence } from "../../adapters/memory/mod.ts";
import { type App, createApp, createCheckBackApp, verifyBearer } from "../../edge/mod.ts";
import { subscribe } from "../../mod.ts";
import { fixture, Placed } from "../support/bus_fixture.ts";
import { FakeReceiver } from "../support/fake_receiver.ts";
import { KEY } from "../support/http.ts";
import { holdsAsync } from "../support/property.ts";

const TOKEN = "0123456789abcdef";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const verify = verifyBearer(TOKEN, { name: "services", kind: "service" });

/** Every path there is, and one that is not. */
const PATHS = [
  "/deliver",
  "/tick",
  "/publish",
  "/checkback",
  "/half",
  "/query",
  "/health",
  "/ready",
  "/openapi.json",
  "/nowhere",
];

/** An app with every route. */
function wholeApp(): App {
  const { bus } = fixture([], { fence: memoryFence() });
  return createApp(bus, {
    verify,
    publish: { verify, names: ["#"] },
    tick: { verify },
    checkBack: { verify, participant: "orders", signingKeys: [KEY] },
    halfMessages: { verify, signingKeys: [KEY] },
    query: { verify },
    openApi: { openapi: "3.1.1" },
  });
}

function* everyRequest(): Generator<[string, string]> {
  for (const path of PATHS) for (const method of ["GET", "POST", "PUT"]) yield [method, path];
}

describe("the id of a request", () => {
  it("is on every answer and error: the caller's, or a new one", async () => {
    const app = wholeApp();
    for (const [method, path] of everyRequest()) {
      const own = await app.request(path, { method, headers: { "x-request-id": "caller-1:a/b" } });
      assert.equal(own.headers.get("x-request-id"), "caller-1:a/b", `${method} ${path}`);
      const fresh = await app.request(path, { method });
      assert.match(fresh.headers.get("x-request-id") ?? "", UUID, `${method} ${path}`);
      await Promise.all([own.text(), fresh.text()]);
    }
  });

  it("is a new one where the caller's is none", async () => {
    const app = wholeApp();
    for (const given of ["", " ", "a b", `"x"`, "<script>", "x".repeat(129), "\u00e9"]) {
      const response = await app.request("/health", { headers: { "x-request-id": given } });
      assert.match(response.headers.get("x-request-id") ?? "", UUID, given);
    }
  });

  it("is what an error is told with", async () => {
    const seen: unknown[] = [];
    const bus = Object.assign(new FakeReceiver(), {
      tick: () => Promise.reject(new Error("secret")),
    });
    const onError = (_: unknown, { requestId }: { requestId: string }) => seen.push(requestId);
    const verify = () => ({ ok: true }) as const;
    const app = createApp(bus, { verify, tick: { verify }, onError });
    const response = await app.request("/tick", { headers: { "x-request-id": "r-7" } });
    assert.equal(response.status, 500);
    assert.equal((await response.json()).error.requestId, "r-7");
    assert.deepEqual([seen, response.headers.get("x-request-id")], [["r-7"], "r-7"]);
  });

  it("is on the answers of a check-back app too", async () => {
    const app = createCheckBackApp(memoryFence(), { participant: "a", signingKeys: [KEY], verify });
    for (const path of ["/checkback", "/health", "/nowhere"]) {
      const response = await app.request(path, { headers: { "x-request-id": "r-1" } });
      assert.equal(response.headers.get("x-request-id"), "r-1");
    }
  });
});

describe("the headers of a request", () => {
  const bombs: Record<string, Record<string, string>> = {
    "too many": Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`x-${i}`, "1"])),
    "too long": { "x-long": "y".repeat(16 * 1024) },
    "too long a name": { [`x-${"y".repeat(16 * 1024)}`]: "1" },
  };
  for (const [what, headers] of Object.entries(bombs)) {
    it(`are refused with 431 on every route when they are ${what}`, async () => {
      const app = wholeApp();
      for (const [method, path] of everyRequest()) {
        const response = await app.request(path, { method, headers });
        assert.equal(response.status, 431, `${method} ${path}`);
        assert.equal((await response.json()).error.code, "too_large");
      }
    });
  }

  it("pass when they just fit", async () => {
    const many = Object.fromEntries(Array.from({ length: 128 }, (_, i) => [`x-${i}`, "1"]));
    for (const headers of [many, { x: "y".repeat(16 * 1024 - 1) }]) {
      assert.equal((await wholeApp().request("/health", { headers })).status, 200);
    }
  });
});

describe("the methods of a path", () => {
  it("are told with 405, and nothing else is done", async () => {
    const app = wholeApp();
    for (const path of PATHS.slice(0, -1)) {
      for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"]) {
        const response = await app.request(path, { method });
        assert.equal(response.status, 405, `${method} ${path}`);
        assert.equal((await response.json()).error.code, "method_not_allowed");
        const allowed = response.headers.get("allow")?.split(", ") ?? [];
        assert.ok(allowed.length > 0 && !allowed.includes(method));
      }
    }
  });
});

describe("a body that breaks off", () => {
  const headers = {
    authorization: `Bearer ${TOKEN}`,
    "cap-msg-id": "m",
    "cap-msg-name": "a",
  };
  const post = (extra: Record<string, string>, body: BodyInit) => {
    const init: RequestInit & { duplex: "half" } = {
      method: "POST",
      headers: { ...headers, ...extra },
      body,
      duplex: "half",
    };
    return wholeApp().request("/deliver", init);
  };

  it("is answered 408, so that it comes again", async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode("{"));
        controller.error(new Error("connection reset by secret"));
      },
    });
    for (const response of [await post({}, broken), await post({ "content-length": "3" }, "{}")]) {
      assert.equal(response.status, 408);
      const { code, message } = (await response.json()).error;
      assert.equal(code, "truncated");
      assert.ok(!message.includes("secret"));
    }
  });
});

describe("a request of any kind", () => {
  const mostly = (text: string, other: fc.Arbitrary<string>) =>
    fc.oneof({ arbitrary: fc.constant(text), weight: 3 }, other);
  const word = fc.oneof(
    fc.constantFrom("", "0", "1", "null", "order.placed", "m-1", "committed", "prepare", "#"),
    fc.string({ maxLength: 20 }),
    fc.string({ unit: fc.constantFrom("é", "\u00ff", "\t", '"', "{", ":", ";"), maxLength: 8 }),
  );
  const known = ["cap-msg-id", "cap-msg-name", "cap-senttime", "cap-corr-seq", "cap-delaytime"];
  known.push("cap-callback-name", "atlast-destination", "atlast-participant", "content-length");
  known.push("atlast-failure-callback-name", "content-encoding", "traceparent", "webhook-id");
  known.push("x-request-id", "upstash-retried", "upstash-message-id", "content-type");
  const type = fc.constantFrom(
    ...["batch", "half", "checkback", "query"].map((kind) => `application/vnd.atlast.${kind}+json`),
    "application/json",
    "text/plain",
  );
  const json = fc.oneof(
    fc.json({ maxDepth: 3 }),
    fc.record({
      operation: fc.constantFrom("prepare", "confirm", "cancel", "query", "undo"),
      id: word,
      name: word,
      participant: fc.constantFrom("orders", "payments"),
      epoch: fc.integer(),
      deadlineMs: fc.oneof(fc.double(), fc.constant(null)),
      retry: fc.jsonValue({ maxDepth: 2 }),
      message: fc.record({
        headers: fc.record({
          "cap-msg-id": word,
          "cap-msg-name": mostly("order.placed", word),
          "atlast-participant": mostly("payments", word),
        }),
        body: word,
      }),
      messages: fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 3 }),
    }, { requiredKeys: [] }).map((value) => JSON.stringify(value)),
  );
  const request = fc.record({
    method: mostly("POST", fc.constantFrom("GET", "PUT")),
    path: fc.constantFrom(...PATHS, "/tick?budgetMs=1", "/tick?budgetMs=%00"),
    headers: fc.tuple(
      fc.array(fc.tuple(fc.constantFrom(...known), word), { maxLength: 3 }),
      fc.record({
        "cap-msg-id": word,
        "cap-msg-name": mostly("order.placed", word),
        "content-type": mostly("application/json", type),
      }, { requiredKeys: [] }),
    ),
    body: fc.oneof(
      fc.constant(`{"n":1}`),
      json,
      json.map((text) => text.slice(1)),
      fc.uint8Array({ maxLength: 40 }),
    ),
  });

  it("is answered, and is never a fault of the service", async () => {
    const errors: unknown[] = [];
    const statuses = new Set<number>();
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      fence: memoryFence(),
      checkBacks: { payments: { check: () => Promise.resolve("unknown") } },
    });
    const everyone = () =>
      ({ ok: true, principal: { name: "services", kind: "service" } }) as const;
    const app = createApp(bus, {
      verify: everyone,
      publish: { verify: everyone, contracts: [Placed], names: ["#"] },
      tick: { verify: everyone },
      checkBack: { verify: everyone, participant: "orders", signingKeys: [KEY] },
      halfMessages: { verify: everyone, signingKeys: [KEY] },
      query: { verify: everyone },
      openApi: {},
      onError: (error) => errors.push(error),
    });
    await holdsAsync(
      fc.asyncProperty(request, async ({ method, path, headers: [others, own], body }) => {
        const headers = new Headers();
        for (const [name, value] of [...Object.entries(own), ...others]) {
          // What no HTTP header can hold gets to no server.
          try {
            headers.set(name, value);
          } catch {
            continue;
          }
        }
        const init = method === "GET" ? { method, headers } : { method, headers, body };
        const response = await app.fetch(new Request(`http://x${path}`, init as RequestInit));
        statuses.add(response.status);
        assert.deepEqual(errors.map(String), []);
        assert.ok(response.status < 500 || response.status === 503, `${response.status}`);
        assert.ok(response.headers.get("x-request-id"));
        await response.text();
      }),
      2_000,
    );
    // It got far enough in to mean something.
    for (const status of [200, 201, 400, 404, 405, 415]) {
      assert.ok(statuses.has(status), `${status}`);
    }
  });
});

describe("the document of an app", () => {
  it("is answered as it is, to anyone", async () => {
    const response = await wholeApp().request("/openapi.json");
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { openapi: "3.1.1" });
  });
});
