import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import type { Hono } from "hono";
import deno from "../../../deno.json" with { type: "json" };
import { memoryFence } from "../../../adapters/memory/mod.ts";
import { qstashDescription, qstashDialect } from "../../../adapters/qstash/verify.ts";
import { halfRequestText } from "../../../core/wire/half_message.ts";
import { AtlastError } from "../../../core/errors.ts";
import type { DeliveryResult } from "../../../core/ports/transport.ts";
import {
  BATCH_CONTENT_TYPE,
  batchItem,
  batchOf,
  CHECKBACK_CONTENT_TYPE,
  HALF_CONTENT_TYPE,
  QUERY_CONTENT_TYPE,
} from "../../../core/wire/wire.ts";
import { type AppOptions, createApp, type EdgeBus, type Verify } from "../../../edge/mod.ts";
import { type OpenApiDocument, openApiDocument } from "../../../edge/openapi/mod.ts";
import { arriving, fixture, Placed } from "../../support/bus_fixture.ts";
import { type Asked, Described } from "../../support/described.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { KEY } from "../../support/http.ts";

const document = openApiDocument({
  serverUrl: "https://orders.example/atlast/",
  dialects: [qstashDescription],
});

/** By the word after `Bearer`: `yes` may, `no` may not, and nobody knows anyone else. */
const verify: Verify = ({ headers }) => {
  switch (headers.get("authorization")) {
    case "Bearer yes":
      return { ok: true, principal: { name: "services", kind: "service" } };
    case "Bearer no":
      return { ok: false, kind: "forbidden", reason: "Cannot let you: want another" };
    default:
      return { ok: false, kind: "unauthenticated", reason: "Cannot know you: want a token" };
  }
};

/** The same of a push provider, which alone may say that it gave a message up. */
const verifyPush: Verify = Object.assign<Verify, Pick<Verify, "dialects">>(
  async (request, body) => {
    const result = await verify(request, body);
    const push = {
      attempt: 1,
      signedAtMs: 0,
      url: "https://orders.example/dead-letter",
      bindsHeaders: false,
      unbound: null,
    };
    return result.ok
      ? {
        ok: true,
        principal: { name: "push", kind: "push_provider" },
        push,
        dialect: qstashDialect,
      }
      : result;
  },
  { dialects: [qstashDialect] },
);

/** Every option, so that a route that a new one brings is not forgotten here. */
const OPTIONS: Required<Omit<AppOptions, "basePath">> = {
  verify,
  publish: { verify, contracts: [Placed], names: ["free.*", "elsewhere"] },
  tick: { verify },
  checkBack: { verify, participant: "orders", signingKeys: [KEY] },
  halfMessages: { verify, signingKeys: [KEY] },
  query: { verify },
  deadLetters: { verify: verifyPush },
  openApi: document,
  maxBodyBytes: 2_000,
  onError: () => {},
};

/** A bus with a fence, that keeps half messages of the side `payments`, and sends anywhere but elsewhere. */
function wholeBus() {
  const transport = new FakeTransport();
  transport.unknown.add("elsewhere");
  const checkBacks = { payments: { check: () => Promise.resolve("unknown" as const) } };
  return fixture([], { transport, fence: memoryFence(), checkBacks });
}

/** A bus that answers everything with an error. */
function brokenBus(error: () => Error): EdgeBus {
  const fail = () => Promise.reject(error());
  return {
    subscribes: () => true,
    deliver: fail,
    tick: fail,
    health: fail,
    publishRaw: fail,
    checkBack: fail,
    deadLetter: fail,
    halfMessages: { prepare: fail, confirm: fail, cancel: fail, query: fail },
    store: { ready: fail, find: fail },
  };
}

/** What each operation takes, to be put wrong in one way or another. */
const GOOD: Readonly<Record<string, Omit<Asked, "operation" | "status">>> = {
  "POST /deliver": {
    headers: {
      "cap-msg-id": "m-1",
      "cap-msg-name": "order.placed",
      "cap-callback-name": "order.marked",
      "content-type": "application/json",
    },
    body: `{"n":1}`,
  },
  "POST /publish": {
    headers: {
      "cap-msg-id": "m-1",
      "cap-msg-name": "order.placed",
      "content-type": "application/json",
    },
    body: `{"n":1}`,
  },
  "POST /tick": { query: "?budgetMs=5" },
  "GET /tick": {},
  "POST /checkback": {
    headers: { "content-type": CHECKBACK_CONTENT_TYPE, "webhook-id": "checkback_1" },
    body:
      `{"id":"m-1","name":"order.placed","epoch":1,"participant":"orders","preparedAtMs":0,"checkedAtMs":60000}`,
  },
  "POST /half": {
    headers: { "content-type": HALF_CONTENT_TYPE },
    body: halfRequestText({
      operation: "prepare",
      draft: {
        message: arriving("h-1", { headers: { "atlast-participant": "payments" } }),
        deadlineMs: 1_764_000_600_000,
        retry: { kind: "fixed", delayMs: 5, maxAttempts: 3 },
      },
    }),
  },
  "POST /query": {
    headers: { "content-type": QUERY_CONTENT_TYPE },
    body: `{"operation":"query","id":"m-1","message":true}`,
  },
  "POST /dead-letter": {
    headers: { "content-type": "application/json" },
    body: `{"dlqId":"1-0","status":500,"sourceHeader":{"Cap-Msg-Id":["m-1"]}}`,
  },
};

/** What is wrong in the same way for every operation that wants to know who asks. */
const WRONG: readonly [number, Partial<Asked>][] = [
  [401, { headers: { authorization: "" } }],
  [403, { headers: { authorization: "Bearer no" } }],
  [408, { headers: { "content-length": "3" }, body: "{}" }],
  [413, { headers: { "content-length": "99999999" } }],
  [415, { headers: { "content-encoding": "gzip" } }],
  [431, { headers: { "x-bomb": "x".repeat(20_000) } }],
];

/** A request that is good but for what `change` says. */
function asking(operation: string, status: number, change: Partial<Asked> = {}): Asked {
  const good = GOOD[operation] ?? {};
  const headers = { authorization: "Bearer yes", ...good.headers, ...change.headers };
  return { operation, ...good, ...change, headers, status };
}

describe("the OpenAPI document", () => {
  it("is one by the schema of the OpenAPI Initiative, whole or in part", async () => {
    const parts = openApiDocument({
      serverUrl: new URL("https://x.example"),
      paths: ["/publish", "/health"],
      title: "Orders",
      version: "7",
      description: "The *orders*.",
    });
    for (const [each, isValid] of [[document, true], [parts, true], [broken(), false]] as const) {
      const { valid, errors } = await new Validator().validate(structuredClone({ ...each }));
      assert.equal(valid, isValid, JSON.stringify(errors));
    }
    assert.deepEqual(Object.keys(parts.paths), ["/publish", "/health"]);
    assert.deepEqual(parts.info, { title: "Orders", version: "7", description: "The *orders*." });
    assert.deepEqual(parts.servers, [{ url: "https://x.example" }]);

    function broken(): OpenApiDocument {
      return { ...document, paths: { "/x": { get: { responses: { 200: {} } } } } };
    }
  });

  it("refers to nothing that is not there, and has nothing that is not referred to", () => {
    const text = JSON.stringify(document);
    const found = Array.from(text.matchAll(/"#\/components\/(\w+)\/(\w+)"/g));
    const used = new Set(found.map(([, kind, name]) => `${kind} ${name}`));
    const there = ["schemas", "headers"].flatMap((kind) =>
      Object.keys(document.components[kind] ?? {}).map((name) => `${kind} ${name}`)
    );
    assert.deepEqual([...used].sort(), there.sort());
  });

  it("is of this version, and of the place it is told", () => {
    assert.equal(document.info.version, deno.version);
    assert.deepEqual(document.servers, [{ url: "https://orders.example/atlast" }]);
    for (const serverUrl of ["/atlast", "ftp://x", "https://user:secret@x"]) {
      assert.throws(() => openApiDocument({ serverUrl }), { code: "invalid_option" });
    }
    const paths = ["/nowhere" as "/health"];
    assert.throws(() => openApiDocument({ serverUrl: "http://x", paths }), /"\/nowhere"/);
  });

  it("has every route of the app, and no other", () => {
    const { routes } = createApp<Hono>(wholeBus().bus, OPTIONS);
    const served = routes.filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path}`);
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
    );
    assert.deepEqual([...new Set(served)].sort(), described.sort());
  });
});

describe("what the app does", () => {
  it("is what its document says, and the document says nothing else", async () => {
    const described = new Described(document);
    const codes = new Set<string>();
    const ask = async (bus: EdgeBus, asked: Asked): Promise<unknown> => {
      const body = await described.ask(createApp(bus, OPTIONS), asked);
      const { error } = body as { error?: { code: string } };
      if (error !== undefined) codes.add(error.code);
      return body;
    };
    const { bus } = wholeBus();

    // What everyone is refused alike.
    for (const operation of Object.keys(GOOD)) {
      for (const [status, change] of WRONG) {
        if (status === 408 && operation.startsWith("GET")) continue;
        await ask(bus, asking(operation, status, change));
      }
      await ask(brokenBus(() => new Error("secret")), asking(operation, 500));
      await ask(brokenBus(() => new AtlastError("stopped", "secret")), asking(operation, 503));
    }

    // What each does, and refuses for reasons of its own.
    const results: [DeliveryResult, number][] = [
      [{ kind: "handled", duplicate: false, reply: null }, 200],
      [{ kind: "accepted" }, 202],
      [{ kind: "no_subscriber" }, 404],
      [{ kind: "rejected", reason: "No", isPublisherNotified: true }, 489],
      [{ kind: "rejected", reason: "No", code: "id_conflict", isPublisherNotified: true }, 409],
      [{ kind: "rejected", reason: "No", arrived: "unknown" }, 489],
      [{ kind: "failed", duplicate: false, reason: "secret" }, 422],
      [{ kind: "rejected", reason: "No", code: "invalid_body" }, 422],
      [{ kind: "refused", reason: "Full", retryAfterMs: 1_500 }, 503],
      [{ kind: "refused", reason: "Full", arrived: "unknown" }, 503],
    ];
    for (const [result, status] of results) {
      const receiver = { ...brokenBus(Error), deliver: () => Promise.resolve([result]) };
      await ask(receiver, asking("POST /deliver", status));
    }
    await ask(bus, asking("POST /deliver", 400, { headers: { "cap-msg-name": "a b" } }));
    const inBatch: DeliveryResult[] = [
      { kind: "handled", duplicate: false, reply: null },
      { kind: "refused", reason: "Full", retryAfterMs: 5 },
      { kind: "failed", duplicate: false, reason: "secret" },
    ];
    await ask({ ...brokenBus(Error), deliver: () => Promise.resolve(inBatch) }, {
      operation: "POST /deliver",
      headers: { authorization: "Bearer yes", "content-type": BATCH_CONTENT_TYPE },
      body: batchOf([
        ...[1, 2].map((n) => batchItem(arriving(`m-${n}`))),
        batchItem(arriving("m-3", { body: new Uint8Array([0xff]) })),
        `{"headers":{"cap-msg-id":null}}`,
      ]),
      status: 200,
    });

    await ask(bus, {
      operation: "POST /deliver",
      headers: { authorization: "Bearer yes", "content-type": BATCH_CONTENT_TYPE },
      body: batchOf([`{"headers":{"cap-msg-id":null}}`]),
      status: 400,
    });

    await ask(bus, asking("POST /publish", 201));
    await ask(bus, asking("POST /publish", 200));
    await ask(bus, asking("POST /publish", 409, { body: `{"n":2}` }));
    await ask(bus, asking("POST /publish", 400, { body: `{"n":"1"}` }));
    await ask(bus, asking("POST /publish", 400, { headers: { "cap-delaytime": "soon" } }));
    await ask(bus, asking("POST /publish", 400, { headers: { "cap-msg-id": "" } }));
    await ask(bus, asking("POST /publish", 403, { headers: { "cap-msg-name": "secret" } }));
    await ask(bus, asking("POST /publish", 404, { headers: { "cap-msg-name": "elsewhere" } }));

    for (const method of ["GET", "POST"]) {
      await ask(bus, asking(`${method} /tick`, 200));
      await ask(bus, asking(`${method} /tick`, 400, { query: "?budgetMs=no" }));
    }

    await ask(bus, asking("POST /checkback", 200));
    await ask(bus, asking("POST /checkback", 400, { body: "{}" }));
    const silent = {
      ...brokenBus(Error),
      checkBack: () => Promise.resolve("unreachable" as const),
    };
    await ask(silent, asking("POST /checkback", 503));

    await ask(bus, asking("POST /half", 200));
    for (const operation of ["confirm", "query"]) {
      await ask(
        bus,
        asking("POST /half", 200, {
          body: JSON.stringify({ operation, id: "h-1", participant: "payments" }),
        }),
      );
    }
    await ask(
      bus,
      asking("POST /half", 409, {
        body: `{"operation":"cancel","id":"h-1","participant":"payments"}`,
      }),
    );
    // Prepared, and confirmed above.
    await ask(bus, asking("POST /half", 409));
    await ask(
      bus,
      asking("POST /half", 404, {
        body: `{"operation":"query","id":"none","participant":"payments"}`,
      }),
    );
    await ask(bus, asking("POST /half", 400, { body: `{"operation":"undo","id":"h-1"}` }));

    await bus.tick();
    await ask(bus, asking("POST /query", 200));
    await ask(
      bus,
      asking("POST /query", 404, {
        body: `{"operation":"query","id":"none","participant":"payments"}`,
      }),
    );
    await ask(bus, asking("POST /query", 400, { body: "[]" }));

    await ask(bus, asking("POST /dead-letter", 200));
    await ask(bus, asking("POST /dead-letter", 489, { body: "{}" }));
    const fromQstash = { headers: { "upstash-message-id": "msg_1" }, body: "{}" };
    await ask(bus, asking("POST /dead-letter", 489, fromQstash));
    // Refused in QStash's dialect before it is verified.
    const packed = { headers: { "upstash-message-id": "msg_1", "content-encoding": "gzip" } };
    for (const operation of ["POST /deliver", "POST /tick", "GET /tick", "POST /dead-letter"]) {
      await ask(bus, asking(operation, 489, packed));
    }
    const sending = {
      ...brokenBus(Error),
      deadLetter: () => Promise.resolve("sending" as const),
    };
    await ask(sending, asking("POST /dead-letter", 503));

    for (const operation of ["GET /health", "GET /ready", "GET /openapi.json"]) {
      await ask(bus, { operation, status: 200 });
      await ask(bus, asking(operation, 431, { headers: { "x-bomb": "x".repeat(20_000) } }));
    }
    await ask(brokenBus(() => new Error("secret")), { operation: "GET /ready", status: 500 });
    await bus.stop();
    await ask(bus, { operation: "GET /ready", status: 503 });

    assert.deepEqual(described.seen.sort(), described.promised.sort());
    const known = codesOf(document);
    assert.deepEqual([...codes].filter((code) => !known.includes(code)), []);
  });

  it("would be found out if it were something else", async () => {
    const described = new Described(document);
    const lies: [EdgeBus, Asked, RegExp][] = [
      [
        { ...brokenBus(Error), tick: () => Promise.resolve({ nextDueAtMs: 1 }) },
        asking("GET /tick", 200),
        /required property 'sent'/,
      ],
      [
        {
          ...brokenBus(Error),
          tick: async () => ({ ...await wholeBus().bus.tick(), host: "secret" }),
        },
        asking("GET /tick", 200),
        /additional properties/,
      ],
    ];
    for (const [bus, asked, words] of lies) {
      await assert.rejects(described.ask(createApp(bus, OPTIONS), asked), words);
    }
    const bad = asking("POST /query", 200, { body: `{"operation":"query"}` });
    await assert.rejects(described.ask(createApp(wholeBus().bus, OPTIONS), bad), /property 'id'/);
    const unnamed = asking("POST /publish", 201, { headers: { "cap-other": "1" } });
    await assert.rejects(described.ask(createApp(wholeBus().bus, OPTIONS), unnamed), /cap-other/);
  });
});

function codesOf({ components }: OpenApiDocument): string[] {
  const error = components["schemas"]?.["Error"] as {
    properties: { error: { properties: { code: { examples: string[] } } } };
  };
  return error.properties.error.properties.code.examples;
}
