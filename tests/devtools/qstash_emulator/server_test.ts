import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import {
  type QstashEvent,
  type QstashServer,
  serveQstashEmulator,
} from "../../../devtools/qstash_emulator/mod.ts";
import { rawRequest } from "../../support/raw_http.ts";
import { serve, serveRaw, type TestServer } from "../../support/serve.ts";

describe("the QStash emulator over real HTTP", () => {
  let qstash: QstashServer;
  let destination: TestServer;
  const events: QstashEvent[] = [];
  const hits: string[] = [];

  before(async () => {
    destination = await serve((request) => {
      const { pathname } = new URL(request.url);
      hits.push(pathname);
      return pathname === "/moved"
        ? new Response(null, { status: 307, headers: { location: "/elsewhere" } })
        : new Response(null, { status: 200 });
    });
    qstash = await serveQstashEmulator({ onEvent: (event) => events.push(event) });
  });
  after(async () => {
    await qstash.close();
    await destination.close();
  });

  const token = (): [string, string] => [
    "authorization",
    `Bearer ${qstash.emulator.env("").QSTASH_TOKEN}`,
  ];

  /** Publishes, and gives the states and statuses of the message until there is nothing left of it. */
  async function outcome(url: string, headers: Record<string, string> = {}): Promise<unknown[]> {
    const response = await fetch(`${qstash.url}/v2/publish/${url}`, {
      method: "POST",
      headers: { ...Object.fromEntries([token()]), "upstash-retries": "0", ...headers },
      body: "b",
    });
    const { messageId } = await response.json();
    await qstash.emulator.idle();
    return events.filter((event) => event.messageId === messageId)
      .map(({ state, status }) => [state, status]).slice(2);
  }

  it("delivers to a server", async () => {
    assert.deepEqual(await outcome(`${destination.origin}/fine`), [["DELIVERED", 200]]);
  });

  it("takes nothing from a browser that shows a page of another site", async () => {
    hits.length = 0;
    const [, bearer] = token();
    const shown = bearer.slice("Bearer ".length);
    for (
      const headers of [{ "sec-fetch-site": "cross-site" }, { origin: "https://evil.example" }]
    ) {
      const at = `${qstash.url}/v2/publish/${destination.origin}/fine?qstash_token=${shown}`;
      const response = await fetch(at, { method: "POST", headers, body: "b" });
      assert.equal(response.status, 403);
      await response.body?.cancel();
    }
    await qstash.emulator.idle();
    assert.deepEqual(hits, []);
  });

  it("follows no redirect", async () => {
    hits.length = 0;
    const states = [["ERROR", 307], ["FAILED", 307]];
    assert.deepEqual(await outcome(`${destination.origin}/moved`), states);
    assert.deepEqual(hits, ["/moved"]);
  });

  it("a port where nobody listens, an answer that breaks off and one that never comes have status 0", async () => {
    const gone = await serve(() => new Response());
    await gone.close();
    const broken = await serveRaw((_, outgoing) => {
      outgoing.writeHead(200, { "content-length": "10" });
      outgoing.write("half");
      outgoing.socket?.end();
    });
    const silent = await serveRaw(() => {});
    const states = [["ERROR", 0], ["FAILED", 0]];
    try {
      assert.deepEqual(await outcome(gone.origin), states);
      assert.deepEqual(await outcome(broken.origin), states);
      assert.deepEqual(await outcome(silent.origin, { "upstash-timeout": "50ms" }), states);
    } finally {
      await broken.close();
      await silent.close();
    }
  });

  const path = "/v2/publish/https://a.example/";

  it("a body that breaks off publishes nothing", async () => {
    const from = events.length;
    const headers = [token(), ["content-length", "100"]] as const;
    const { status } = await rawRequest(qstash.url, {
      path,
      headers,
      body: "half",
      breaksOff: true,
    });
    assert.notEqual(status, 200);
    assert.equal(events.length, from);
  });

  it("a body over the limit is answered by 413, and the next request is served", async () => {
    const from = events.length;
    const body = new Uint8Array(11 * 1024 * 1024);
    const { status } = await rawRequest(qstash.url, { path, headers: [token()], body });
    assert.equal(status, 413);
    assert.equal(events.length, from);
    assert.deepEqual(await outcome(`${destination.origin}/next`), [["DELIVERED", 200]]);
  });

  it("headers over the limit are answered by 431", async () => {
    const many = Array.from({ length: 1000 }, (_, i) => [`x-${i}`, "x".repeat(100)] as const);
    for (const bomb of [many, [["x-bomb", "x".repeat(2 * 1024 * 1024)] as const]]) {
      const { status } = await rawRequest(qstash.url, { path, headers: [token(), ...bomb] });
      assert.equal(status, 431);
    }
  });

  it("a destination is taken as it was sent, `..` and all", async () => {
    const { status } = await rawRequest(qstash.url, {
      path: `/v2/publish/${destination.origin}/a/../b//c`,
      headers: [token()],
    });
    assert.equal(status, 200);
    await qstash.emulator.idle();
    // Where it is sent, fetch resolves it; and the URL class has resolved it before.
    assert.equal(hits.at(-1), "/b//c");
  });

  it("refuses to start where something listens already", async () => {
    await assert.rejects(serveQstashEmulator({ port: Number(new URL(qstash.url).port) }));
  });
});
