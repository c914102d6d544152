import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { verifySignature } from "../../../adapters/http/mod.ts";
import { verifyQstash } from "../../../adapters/qstash/verify.ts";
import {
  CHECKBACK_CONTENT_TYPE,
  HALF_CONTENT_TYPE,
  QUERY_CONTENT_TYPE,
  type Verify,
} from "../../../core/wire/wire.ts";
import { createApp, createCheckBackApp, verifyAny, verifyBearer } from "../../../edge/mod.ts";
import { createStatelessApp } from "../../../edge/stateless/mod.ts";
import { memoryFence } from "../../../adapters/memory/mod.ts";
import { fixture } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { KEY } from "../../support/http.ts";

const TOKEN = "0123456789abcdef";
const qstash = verifyQstash({
  currentSigningKey: "sig_a",
  nextSigningKey: "sig_b",
  url: "http://a.example",
});
const signature = verifySignature({ signingKeys: [KEY] });

/** A request without credentials, and whether its body was asked for. */
function stranger(path: string, headers: Record<string, string> = {}) {
  let asked = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      asked = true;
      controller.enqueue(new TextEncoder().encode("{}"));
      controller.close();
    },
  }, { highWaterMark: 0 });
  const init: RequestInit & { duplex: "half" } = { method: "POST", headers, body, duplex: "half" };
  return { request: new Request(`http://a.example${path}`, init), wasRead: () => asked };
}

const NAMED = { "cap-msg-id": "m-1", "cap-msg-name": "order.placed" };

describe("the body of a request without credentials", () => {
  const verifiers: Record<string, Verify> = {
    verifySignature: signature,
    verifyQstash: qstash,
    verifyBearer: verifyBearer(TOKEN),
    verifyAny: verifyAny(signature, qstash, verifyBearer(TOKEN)),
  };
  for (const [name, verify] of Object.entries(verifiers)) {
    it(`is not read by an app with ${name}`, async () => {
      const apps = [
        createApp(fixture([]).bus, {
          verify,
          publish: { verify, names: ["#"] },
          tick: { verify },
          halfMessages: { verify, signingKeys: [KEY] },
          query: { verify },
          deadLetters: { verify },
        }),
        createStatelessApp([], { verify }),
      ];
      for (const app of apps) {
        const { request, wasRead } = stranger("/deliver", NAMED);
        assert.equal((await app.fetch(request)).status, 401);
        assert.equal(wasRead(), false);
      }
      for (
        const [path, contentType] of [
          ["/publish", "application/json"],
          ["/tick", "application/json"],
          ["/half", HALF_CONTENT_TYPE],
          ["/query", QUERY_CONTENT_TYPE],
          ["/dead-letter", "application/json"],
        ] as const
      ) {
        const { request, wasRead } = stranger(path, { ...NAMED, "content-type": contentType });
        assert.equal((await apps[0]!.fetch(request)).status, 401);
        assert.equal(wasRead(), false);
      }
    });
  }

  it("is not read by a check-back app", async () => {
    const app = createCheckBackApp(memoryFence(), {
      participant: "orders",
      signingKeys: [KEY],
      verify: signature,
    });
    const { request, wasRead } = stranger("/checkback", {
      "content-type": "application/vnd.atlast.checkback+json",
    });
    assert.equal((await app.fetch(request)).status, 401);
    assert.equal(wasRead(), false);
  });

  it("is not read for a signature that is too old", async () => {
    const app = createStatelessApp([], { verify: signature });
    const { request, wasRead } = stranger("/deliver", {
      ...NAMED,
      "webhook-id": "x",
      "webhook-timestamp": "1",
      "webhook-signature": "v1,x",
    });
    assert.equal((await app.fetch(request)).status, 401);
    assert.equal(wasRead(), false);
  });

  it("is read for a verifier of the user's own, alone or beside another", async () => {
    for (
      const mine of [(verify: Verify) => verify, (verify: Verify) => verifyAny(signature, verify)]
    ) {
      const seen: number[] = [];
      const app = createStatelessApp([], {
        verify: mine((_, body) => {
          seen.push(body.length);
          return { ok: false, kind: "unauthenticated", reason: "Cannot accept it" };
        }),
      });
      const { request } = stranger("/deliver", NAMED);
      assert.equal((await app.fetch(request)).status, 401);
      assert.deepEqual(seen, [2]);
    }
  });
});

describe("a body that never ends, of a request that nobody has verified", () => {
  const LIMIT = 1_000;
  const CHUNK = new Uint8Array(512).fill(0x20);
  const LIMITS: readonly (readonly [path: string, contentType: string, limit: number])[] = [
    ["/deliver", "application/json", LIMIT],
    ["/publish", "application/json", LIMIT],
    ["/half", HALF_CONTENT_TYPE, LIMIT],
    ["/dead-letter", "application/json", 3 * LIMIT],
    ["/query", QUERY_CONTENT_TYPE, 4 * 1024],
    ["/checkback", CHECKBACK_CONTENT_TYPE, 16 * 1024],
    ["/tick", "application/json", 64 * 1024],
    ["/stateless/deliver", "application/json", LIMIT],
  ];

  for (const [path, contentType, limit] of LIMITS) {
    it(`is read up to the limit of ${path}, and no verifier sees it`, async () => {
      let asked = 0;
      const verify: Verify = () => {
        asked += 1;
        return { ok: true };
      };
      const fence = memoryFence();
      const app = createApp(fixture([], { fence, transport: new FakeTransport() }).bus, {
        verify,
        publish: { verify, names: ["#"] },
        tick: { verify },
        halfMessages: { verify, signingKeys: [KEY] },
        checkBack: { verify, participant: "orders", signingKeys: [KEY] },
        query: { verify },
        deadLetters: { verify },
        maxBodyBytes: LIMIT,
      });
      const basePath = "/stateless";
      const stateless = createStatelessApp([], { verify, basePath, maxBodyBytes: LIMIT });
      let read = 0;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          read += CHUNK.length;
          // Whoever reads on past every limit is shown an end, so that the test has one.
          read > 1_000_000 ? controller.close() : controller.enqueue(CHUNK);
        },
      }, { highWaterMark: 0 });
      const init: RequestInit & { duplex: "half" } = {
        method: "POST",
        headers: { ...NAMED, "content-type": contentType },
        body,
        duplex: "half",
      };
      const to = path.startsWith(basePath) ? stateless : app;
      const { status } = await to.fetch(new Request(`http://a.example${path}`, init));
      assert.equal(status, 413);
      assert.equal(asked, 0);
      assert.ok(read > limit && read <= limit + 2 * CHUNK.length, `read ${read} bytes`);
    });
  }
});
