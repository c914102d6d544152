import * as jose from "jose";
import assert from "node:assert/strict";
import { after, before, describe, it, mock } from "node:test";
import { verifySignature } from "../../adapters/http/mod.ts";
import { verifyQstash } from "../../adapters/qstash/verify.ts";
import { messageRequestId } from "../../http/signature_id.ts";
import { boundUrl } from "../../adapters/qstash/dialect/binding.ts";
import { Signer } from "../../http/signature.ts";
import { MAX_BODY_BYTES, type Message } from "../../core/message/message.ts";
import type { DeliveryResult } from "../../core/ports/transport.ts";
import { BATCH_CONTENT_TYPE, batchItem, batchOf } from "../../core/wire/wire.ts";
import { type App, createApp, verifyAny, verifyBearer } from "../../edge/mod.ts";
import { createStatelessApp } from "../../edge/stateless/mod.ts";
import { type Bus, subscribe } from "../../mod.ts";
import { arriving, fixture, Placed, type Tx } from "../support/bus_fixture.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { KEY, signingKey } from "../support/http.ts";
import { qstashToken } from "../support/qstash_token.ts";
import { type RawAnswer, type RawRequest, rawRequest } from "../support/raw_http.ts";
import { serve, type TestServer } from "../support/serve.ts";

const CURRENT = "sig_current_0123456789";
const NEXT = "sig_next_0123456789";
const TOKEN = "0123456789abcdef";
const PUBLIC_URL = "https://orders.example";
const MINUTE_MS = 60_000;

/** What a message's headers are in HTTP. */
const NAMED: [string, string][] = [
  ["cap-msg-id", "m-1"],
  ["cap-msg-name", Placed.name],
  ["content-type", "application/json"],
];
const BODY = `{"n":1}`;
const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Headers with the signature of Atlast's own scheme, made `agoMs` ago. */
async function signed(
  headers: [string, string][],
  body: string,
  { agoMs = 0, key = KEY } = {},
): Promise<[string, string][]> {
  const bytes = utf8(body);
  const isBatch = headers.some(([, value]) => value === BATCH_CONTENT_TYPE);
  const id = isBatch ? "msg_1" : await messageRequestId(new Headers(headers));
  const signer = new Signer([key], { now: () => Date.now() - agoMs });
  return [...headers, ...Object.entries(await signer.headersFor(id, bytes))];
}

/** The path that QStash calls: with the query of the URL that it signed. */
function pathFor(headers: RawRequest["headers"] = []): string {
  const token = headers.find(([name]) => name === "upstash-signature")?.[1] ?? "";
  if (token.length < 100) return "/deliver";
  return `/deliver${new URL(jose.decodeJwt(token).sub ?? "").search}`;
}

/** Headers as QStash sends them, with its signature. */
async function fromQstash(
  headers: [string, string][],
  body: string,
  { agoMs = 0, url = `${PUBLIC_URL}/deliver`, key = CURRENT } = {},
): Promise<[string, string][]> {
  const nowS = Math.floor((Date.now() - agoMs) / 1000);
  const bound = await boundUrl(url, new Headers(headers));
  const token = await qstashToken(utf8(body), bound, { key, nowS });
  return [
    ...headers,
    ["upstash-message-id", "msg_1"],
    ["upstash-retried", "0"],
    ["upstash-signature", token],
  ];
}

/** An app behind a real server, and whatever got through to it. */
interface Subject {
  readonly app: App;
  /** The messages that reached a handler or a store, by their ids. */
  taken(): Promise<string[]>;
  stop(): Promise<void>;
}

const verify = verifyAny(
  verifySignature({ signingKeys: [KEY] }),
  verifyQstash({ currentSigningKey: CURRENT, nextSigningKey: NEXT, url: PUBLIC_URL }),
);

function storedSubject(onError: (error: unknown) => void): Subject {
  const handled: string[] = [];
  const transport = new FakeTransport();
  const bus: Bus<Tx> = fixture([
    subscribe(Placed, { group: "g" }, (_, { message }) => void handled.push(message.id)),
  ], { transport }).bus;
  return {
    app: createApp(bus, {
      verify,
      publish: { verify: verifyBearer(TOKEN), names: ["#"] },
      onError,
    }),
    async taken() {
      const limit = 1_000;
      const inbox = await bus.store.list({ box: "inbox", limit });
      const outbox = await bus.store.list({ box: "outbox", limit });
      return [...new Set([...handled, ...[...inbox, ...outbox].map(({ id }) => id)])];
    },
    stop: () => bus.stop(),
  };
}

function statelessSubject(onError: (error: unknown) => void): Subject {
  const handled: string[] = [];
  return {
    app: createStatelessApp([
      subscribe(Placed, { group: "g" }, (_, { message }) => void handled.push(message.id)),
    ], { verify, onError }),
    taken: () => Promise.resolve([...handled]),
    stop: () => Promise.resolve(),
  };
}

for (const [what, make] of [["a bus", storedSubject], ["no store", statelessSubject]] as const) {
  describe(`bad input over a real server, to an app with ${what}`, () => {
    const errors: unknown[] = [];
    let subject: Subject;
    let server: TestServer;
    const logs = ["log", "info", "warn", "error", "debug"].map((name) =>
      mock.method(console, name as "log", () => {})
    );
    before(async () => {
      subject = make((error) => void errors.push(error));
      server = await serve(subject.app.fetch);
    });
    after(async () => {
      await server.close();
      await subject.stop();
      for (const log of logs) log.mock.restore();
    });

    const deliver = (request: Omit<RawRequest, "path">): Promise<RawAnswer> =>
      rawRequest(server.origin, { path: pathFor(request.headers), ...request });

    /** Nothing of a bad request is kept, told to a log or taken for a fault of the service. */
    const nothingCame = async (...exceptFor: string[]) => {
      assert.deepEqual((await subject.taken()).filter((id) => !exceptFor.includes(id)), []);
      assert.deepEqual(errors, []);
      assert.deepEqual(logs.flatMap(({ mock }) => mock.calls), []);
    };

    it("is refused with 401 when it is unsigned, or signed by nobody it knows", async () => {
      const others = [
        NAMED,
        await signed(NAMED, BODY, { key: signingKey("x") }),
        await fromQstash(NAMED, BODY, { key: "sig_other" }),
        [...NAMED, ["upstash-signature", "a.b.c"] as [string, string]],
        [...NAMED, ["authorization", `Bearer ${TOKEN}`] as [string, string]],
      ];
      for (const headers of others) {
        const { status, text } = await deliver({ headers, body: BODY });
        assert.equal(status, 401, text);
        for (const secret of [KEY, CURRENT, NEXT, TOKEN, BODY]) assert.ok(!text.includes(secret));
      }
      await nothingCame();
    });

    it("is refused with 401 when it is replayed after its signature has expired", async () => {
      for (
        const headers of [
          await signed(NAMED, BODY, { agoMs: 6 * MINUTE_MS }),
          await fromQstash(NAMED, BODY, { agoMs: 6 * MINUTE_MS }),
        ]
      ) {
        assert.equal((await deliver({ headers, body: BODY })).status, 401);
      }
      await nothingCame();
    });

    it("is refused with 401 when it was signed for another URL, body or message", async () => {
      const elsewhere = await fromQstash(NAMED, BODY, { url: "https://elsewhere.example/deliver" });
      assert.equal((await deliver({ headers: elsewhere, body: BODY })).status, 401);
      for (const sign of [signed, fromQstash]) {
        const headers = await sign(NAMED, BODY);
        assert.equal((await deliver({ headers, body: `{"n":2}` })).status, 401);
        // What is cut short, with all of its framing right.
        assert.equal((await deliver({ headers, body: `{"n":` })).status, 401);
      }
      const renamed = (await signed(NAMED, BODY))
        .map(([name, value]): [string, string] =>
          name === "cap-msg-id" ? [name, "m-2"] : [name, value]
        );
      assert.equal((await deliver({ headers: renamed, body: BODY })).status, 401);
      await nothingCame();
    });

    it("is refused with 405 when it has the wrong method", async () => {
      const headers = await signed(NAMED, BODY);
      for (const method of ["GET", "PUT", "PATCH", "DELETE"]) {
        const body = method === "GET" ? "" : BODY;
        assert.equal((await deliver({ method, headers, body })).status, 405, method);
      }
      await nothingCame();
    });

    it("does nothing when its body breaks off", async () => {
      const headers = await signed(NAMED, BODY);
      const cut: RawRequest[] = [
        { path: "/deliver", headers: [...headers, ["content-length", "100"]], body: BODY },
        {
          path: "/deliver",
          headers: [...headers, ["transfer-encoding", "chunked"]],
          body: `7\r\n${BODY}\r\n`,
        },
      ];
      for (const request of cut) {
        const { status } = await rawRequest(server.origin, { ...request, breaksOff: true });
        // The server itself may have said so, or have hung up on who hung up.
        assert.ok([400, 408, null].includes(status), `${status}`);
      }
      await nothingCame();
    });

    it("is refused with 413 when it has 10 MB, announced or not", async () => {
      const body = new Uint8Array(10_000_000).fill(0x20);
      const headers = await signed(NAMED, BODY);
      assert.equal((await deliver({ headers, body })).status, 413);
      const chunked = new Uint8Array([...utf8("989680\r\n"), ...body, ...utf8("\r\n0\r\n\r\n")]);
      const unannounced: [string, string][] = [...headers, ["transfer-encoding", "chunked"]];
      assert.equal((await deliver({ headers: unannounced, body: chunked })).status, 413);
      await nothingCame();
    });

    it("is refused with 431 when it is a bomb of headers", async () => {
      const bombs: [string, string][][] = [
        Array.from({ length: 129 }, (_, i) => [`x-${i}`, "1"]),
        Array.from({ length: 65 }, (_, i) => [`cap-x-${i}`, "1"]),
        [["cap-x", "y".repeat(9_000)]],
        [["x", "y".repeat(100_000)]],
        Array.from({ length: 20_000 }, () => ["x", "1"]),
      ];
      for (const [i, bomb] of bombs.entries()) {
        const headers = await signed([
          ...NAMED,
          ...bomb.filter(([name]) => name.startsWith("cap-")),
        ], BODY);
        const others = bomb.filter(([name]) => !name.startsWith("cap-"));
        const { status } = await deliver({ headers: [...headers, ...others], body: BODY });
        // A server that reads no more of them hangs up, if it does not say 431 itself.
        assert.ok(status === 431 || (i > 2 && status === null), `bomb ${i}: ${status}`);
      }
      await nothingCame();
    });

    it("is a good message when its id has a colon, or letters that are not Latin", async () => {
      const body = batchOf(
        ["order:1", "注文-1", "заказ 1", "🎉"].map((id) => batchItem(arriving(id))),
        "deliver",
      );
      const headers = await signed([["content-type", BATCH_CONTENT_TYPE]], body);
      const { status, text } = await deliver({ headers, body });
      assert.equal(status, 200, text);
      assert.deepEqual(await subject.taken(), ["order:1", "注文-1", "заказ 1", "🎉"]);
      const colon = NAMED.map(([name, value]): [string, string] =>
        name === "cap-msg-id" ? [name, "order:2"] : [name, value]
      );
      assert.equal(
        (await deliver({ headers: await fromQstash(colon, BODY), body: BODY })).status,
        200,
      );
      assert.equal((await subject.taken()).length, 5);
    });

    it("in a batch does not keep the good back", async () => {
      const before = await subject.taken();
      const bad = [
        `{"headers":{"cap-msg-id":"b-1","cap-msg-name":"a b"},"body":""}`,
        `{"headers":{"cap-msg-id":"b-2","cap-msg-name":"a"},"body":7}`,
        `{"headers":{"cap-msg-name":"a"},"body":""}`,
        `7`,
      ];
      const good: Message[] = ["g-1", "g-2"].map((id) => arriving(id));
      const body = batchOf([batchItem(good[0]!), ...bad, batchItem(good[1]!)], "deliver");
      const headers = await signed([["content-type", BATCH_CONTENT_TYPE]], body);
      const { status, text } = await deliver({ headers, body });
      assert.equal(status, 200);
      const { results } = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)) as {
        results: { status: DeliveryResult["kind"] | "malformed" }[];
      };
      assert.deepEqual(results.map((result) => result.status), [
        "handled",
        "malformed",
        "malformed",
        "malformed",
        "malformed",
        "handled",
      ]);
      assert.deepEqual(
        (await subject.taken()).filter((id) => !before.includes(id)).sort(),
        ["g-1", "g-2"],
      );
    });

    it("leaves the app as well as it was", async () => {
      const headers = await signed(
        NAMED.map(([name, value]) => [name, name === "cap-msg-id" ? "last" : value]),
        BODY,
      );
      assert.equal((await deliver({ headers, body: BODY })).status, 200);
      assert.ok((await subject.taken()).includes("last"));
      assert.deepEqual(errors, []);
    });
  });
}

describe("bad input over a real server, to the publish route", () => {
  const { bus } = fixture([], { transport: new FakeTransport() });
  let server: TestServer;
  before(async () => {
    const publish = { verify: verifyBearer(TOKEN), contracts: [Placed], names: ["free.#"] };
    server = await serve(createApp(bus, { verify, publish }).fetch);
  });
  after(async () => {
    await server.close();
    await bus.stop();
  });

  it("is refused, and nothing of it stored", async () => {
    const may: [string, string] = ["authorization", `Bearer ${TOKEN}`];
    const free: [string, string][] = [may, ["cap-msg-name", "free.one"]];
    const long = "x".repeat(MAX_BODY_BYTES + 1);
    const asked: [[string, string][], string, number][] = [
      [NAMED, BODY, 401],
      [[["authorization", "Bearer guess-guess-guess"], ...NAMED], BODY, 401],
      // Who may deliver may not for that reason publish.
      [await signed(NAMED, BODY), BODY, 401],
      [await fromQstash(NAMED, BODY), BODY, 401],
      [[may, ...NAMED], `{"n":"one"}`, 400],
      [[may, ...NAMED], `{"n":`, 400],
      [[may, ["cap-msg-name", "secret"]], BODY, 403],
      [[...free, ["atlast-destination", "ftp://files.example"]], BODY, 400],
      [[...free, ["atlast-destination", "javascript:alert(1)"]], BODY, 400],
      [[...free, ["atlast-destination", "//no-scheme.example"]], BODY, 400],
      [[...free, ["cap-msg-id", "注文"]], BODY, 400],
      [[...free, ["cap-msg-id", ""]], BODY, 400],
      [free, long, 413],
      [[...free, ["cap-x", "y".repeat(9_000)]], BODY, 431],
    ];
    for (const [headers, body, status] of asked) {
      const answer = await rawRequest(server.origin, { path: "/publish", headers, body });
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.text, /x-request-id: /i);
    }
    assert.deepEqual(await bus.store.list({ box: "outbox", limit: 9 }), []);
  });

  it("is no id with a colon", async () => {
    const headers: [string, string][] = [
      ["authorization", `Bearer ${TOKEN}`],
      ["cap-msg-name", "free.one"],
      ["cap-msg-id", "order:1"],
    ];
    const answer = await rawRequest(server.origin, { path: "/publish", headers, body: BODY });
    assert.equal(answer.status, 201, answer.text);
    assert.ok(await bus.store.find("outbox", { id: "order:1", group: "" }));
  });
});
