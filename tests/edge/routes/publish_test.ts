import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inProcessTransport } from "../../../adapters/memory/mod.ts";
import { verifySignature } from "../../../adapters/http/mod.ts";
import { HEADER } from "../../../core/message/headers.ts";
import { messageRequestId } from "../../../http/signature_id.ts";
import { Signer } from "../../../http/signature.ts";
import type { Transport } from "../../../core/ports/transport.ts";
import { BATCH_CONTENT_TYPE } from "../../../core/wire/wire.ts";
import { createApp, type PublishRouteOptions, verifyBearer } from "../../../edge/mod.ts";
import { type BusOptions, defineMessage } from "../../../mod.ts";
import { fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { KEY } from "../../support/http.ts";
import { NOW_MS } from "../../support/manual_clock.ts";

const TOKEN = "0123456789abcdef";
const refuse = () => ({ ok: false, kind: "forbidden", reason: "Not here" }) as const;

/** A bus that sends anywhere but to `elsewhere`, behind an app that lets others publish. */
function publishing(
  publish: Partial<PublishRouteOptions> = {},
  options: Partial<Pick<BusOptions<Tx>, "transport" | "maxBodyBytes">> = {},
  bodies: { readonly maxBodyBytes?: number } = {},
) {
  const transport: Transport = {
    ...inProcessTransport(),
    routes: (name, headers) =>
      name !== "elsewhere" && (headers?.[HEADER.destination] ?? "http").startsWith("http"),
  };
  const all = fixture([], { transport, ...options });
  const app = createApp(all.bus, {
    verify: refuse,
    publish: { verify: verifyBearer(TOKEN), names: ["#"], callbackNames: ["#"], ...publish },
    ...bodies,
  });
  const post = async (
    headers: Record<string, string>,
    body: BodyInit = "{}",
    ctx?: unknown,
  ): Promise<Response> =>
    await app.fetch(
      new Request("http://x/publish", {
        method: "POST",
        headers: { authorization: `Bearer ${TOKEN}`, ...headers },
        body,
      }),
      {},
      ctx,
    );
  const stored = async (id: string) => {
    const record = await all.store.find("outbox", { id, group: "" });
    assert.ok(record !== null, `no ${id}`);
    return record;
  };
  return { ...all, app, post, stored };
}

async function errorOf(response: Response): Promise<{ code: string; message: string }> {
  return (await response.json()).error;
}

describe("publishing over HTTP", () => {
  it("puts a message into the outbox, byte for byte, under its own id", async () => {
    const { post, stored } = publishing();
    const response = await post({
      "cap-msg-id": "m-1",
      "cap-msg-name": "order.placed",
      "cap-callback-name": "order.marked",
      "cap-senttime": "1999-01-01T00:00:00Z",
      "atlast-failure-callback-name": "order.stuck",
      "content-type": "application/json; charset=utf-8",
      traceparent: "00-1-2-01",
      cookie: "secret=1",
      "x-other": "1",
    }, `{ "n" : 1.0 }`);
    assert.equal(response.status, 201);
    assert.deepEqual(await response.json(), { id: "m-1", duplicate: false });
    assert.equal(response.headers.get("cache-control"), "no-store");
    const { message, state, dueAtMs } = await stored("m-1");
    assert.deepEqual(message, {
      id: "m-1",
      name: "order.placed",
      headers: {
        "atlast-failure-callback-name": "order.stuck",
        "cap-callback-name": "order.marked",
        traceparent: "00-1-2-01",
      },
      contentType: "application/json; charset=utf-8",
      body: `{ "n" : 1.0 }`,
      sentAtMs: NOW_MS,
    });
    assert.deepEqual([state, dueAtMs], ["scheduled", NOW_MS]);
  });

  it("gives a message without an id a new one", async () => {
    const { post, stored } = publishing();
    const response = await post({ "cap-msg-name": "a" }, new Uint8Array([0xff, 0]));
    assert.equal(response.status, 201);
    const { id } = await response.json();
    assert.match(id, /^[0-9a-f-]{36}$/);
    const { message } = await stored(id);
    // fetch gives bytes no content type of their own.
    assert.deepEqual([message.contentType, message.body], [
      "application/json",
      new Uint8Array([0xff, 0]),
    ]);
  });

  it("answers 200 for the same message again, and 409 for another with its id", async () => {
    const { post, store } = publishing();
    const headers = { "cap-msg-id": "m-1", "cap-msg-name": "a" };
    const statuses = [];
    for (const body of ["1", "1", "2"]) statuses.push((await post(headers, body)).status);
    assert.deepEqual(statuses, [201, 200, 409]);
    const again = await post(headers, "1");
    assert.deepEqual(await again.json(), {
      id: "m-1",
      duplicate: true,
      state: "scheduled",
      dueAtMs: NOW_MS,
    });
    assert.equal((await errorOf(await post(headers, "2"))).code, "id_conflict");
    assert.equal((await store.list({ box: "outbox", limit: 9 })).length, 1);
  });

  it("waits as its header says, in milliseconds or as CAP writes it", async () => {
    const { post, stored } = publishing();
    for (const [id, delay] of [["m-1", "300000"], ["m-2", "00:05:00"]] as const) {
      const headers = { "cap-msg-id": id, "cap-msg-name": "a", "cap-delaytime": delay };
      assert.equal((await post(headers)).status, 201);
      const { dueAtMs, message } = await stored(id);
      assert.equal(dueAtMs, NOW_MS + 300_000);
      assert.equal(message.headers["cap-delaytime"], "300000");
    }
    const bad = await post({ "cap-msg-name": "a", "cap-delaytime": "soon" });
    assert.equal(bad.status, 400);
    assert.match((await errorOf(bad)).message, /"cap-delaytime": want milliseconds/);
  });

  it("checks the body of a contract it knows, and says where it does not fit", async () => {
    const { post, store } = publishing({ contracts: [Placed], names: ["free.*"] });
    const order = { "cap-msg-name": "order.placed", "content-type": "application/json" };
    assert.equal((await post(order, `{"n":1}`)).status, 201);
    for (const [body, words] of [[`{"n":"1"}`, / at n$/], ["{", /not JSON/]] as const) {
      const response = await post(order, body);
      assert.equal(response.status, 400);
      const { code, message } = await errorOf(response);
      assert.equal(code, "invalid_body");
      assert.match(message, words);
    }
    assert.equal((await post({ "cap-msg-name": "free.one" }, "{")).status, 201);
    assert.equal((await store.list({ box: "outbox", limit: 9 })).length, 2);
  });

  it("takes only names that are open to others", async () => {
    const { post, store } = publishing({ contracts: [Placed], names: ["free.*"] });
    for (const name of ["free", "free.one.two", "order.placed.late", "secret"]) {
      const response = await post({ "cap-msg-name": name });
      assert.deepEqual([response.status, (await errorOf(response)).code], [403, "forbidden"]);
    }
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
  });

  it("refuses what cannot be a message or go anywhere, and stores nothing of it", async () => {
    const { post, store } = publishing({}, { maxBodyBytes: 100 }, { maxBodyBytes: 1000 });
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`cap-x-${i}`, "1"]));
    const named = { "cap-msg-name": "a" };
    const bad: [Record<string, string>, string, number, string][] = [
      [{}, "", 415, "unsupported_media_type"],
      [{ ...named, "content-type": BATCH_CONTENT_TYPE }, "", 400, "malformed_message"],
      [{ ...named, "content-encoding": "gzip" }, "", 415, "unsupported_media_type"],
      [{ "cap-msg-id": "m" }, "", 400, "invalid_header"],
      [{ "cap-msg-name": "a b" }, "", 400, "invalid_name"],
      [{ ...named, "cap-msg-id": "" }, "", 400, "invalid_id"],
      [{ ...named, "cap-msg-id": "i".repeat(201) }, "", 400, "invalid_id"],
      [{ ...named, "cap-msg-id": "\u00e9" }, "", 400, "invalid_header"],
      [{ ...named, "content-type": `text/${"x".repeat(300)}` }, "", 400, "invalid_header"],
      [{ ...named, "cap-callback-name": "not a name" }, "", 400, "invalid_name"],
      [{ ...named, "atlast-failure-callback-name": "a..b" }, "", 400, "invalid_name"],
      [{ ...named, "atlast-participant": "payments" }, "", 400, "invalid_header"],
      [{ ...named, "atlast-destination": "ftp://secret@x" }, "", 400, "invalid_header"],
      [{ ...named, "atlast-destination": "/secret" }, "", 400, "invalid_header"],
      [{ "cap-msg-name": "elsewhere" }, "", 404, "no_route"],
      [named, "x".repeat(101), 413, "too_large"],
      [named, "x".repeat(1001), 413, "too_large"],
      [{ ...named, ...many }, "", 431, "too_large"],
    ];
    for (const [headers, body, status, code] of bad) {
      const response = await post(headers, body);
      const error = await errorOf(response);
      assert.deepEqual([response.status, error.code], [status, code], error.message);
      assert.match(error.message, /^Cannot .*want /s);
      assert.ok(!error.message.includes("secret"));
    }
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
  });

  it("takes ids with colons", async () => {
    const { post, stored } = publishing();
    await post({ "cap-msg-id": "orders:7", "cap-msg-name": "a" });
    assert.equal((await stored("orders:7")).id, "orders:7");
  });

  it("goes to a destination of its own where the transport allows it", async () => {
    const { post, stored } = publishing();
    const destination = "https://hooks.example/1";
    const headers = { "cap-msg-id": "m", "cap-msg-name": "a", "atlast-destination": destination };
    assert.equal((await post(headers)).status, 201);
    assert.equal((await stored("m")).message.headers["atlast-destination"], destination);
  });

  it("has a verifier of its own, and none of the app's", async () => {
    const { app, store } = publishing();
    const headers = { "cap-msg-name": "a" };
    for (const authorization of ["", "Bearer wrong-0123456789abcdef"]) {
      const response = await app.request("/publish", {
        method: "POST",
        headers: { ...headers, authorization },
        body: "{}",
      });
      assert.equal(response.status, 401);
    }
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
    const bus = fixture().bus;
    const without = { names: ["#"] } as unknown as PublishRouteOptions;
    for (const publish of [without, { verify: refuse }, { verify: refuse, names: ["a b"] }]) {
      assert.throws(
        () => createApp(bus, { verify: () => ({ ok: true }), publish }),
        /^Atlast.*want/,
      );
    }
  });

  it("can be signed, over headers and body", async () => {
    const { post } = publishing({ verify: verifySignature({ signingKeys: [KEY] }) });
    const headers = { "cap-msg-id": "m", "cap-msg-name": "a", "content-type": "text/plain" };
    const sign = async (audience: string) => {
      const id = await messageRequestId(new Headers(headers), audience);
      return await new Signer([KEY]).headersFor(id, new TextEncoder().encode("hi"));
    };
    const signed = await sign("publish");
    const delivery = await sign("deliver");
    assert.equal((await post({ ...headers, ...delivery }, "hi")).status, 401);
    assert.equal((await post({ ...headers, ...signed }, "hi")).status, 201);
    assert.equal((await post({ ...headers, ...signed, "cap-msg-id": "n" }, "hi")).status, 401);
    assert.equal((await post({ ...headers, ...signed }, "ho")).status, 401);
    // Without an id, a copy of the request would be another message.
    const unnamed = { "cap-msg-name": "a", "content-type": "text/plain" };
    const id = await messageRequestId(new Headers(unnamed), "publish");
    const own = await new Signer([KEY]).headersFor(id, new TextEncoder().encode("hi"));
    const refused = await post({ ...unnamed, ...own }, "hi");
    assert.deepEqual([refused.status, (await errorOf(refused)).code], [400, "invalid_header"]);
  });

  it("can be left out, and is refused to a bus that cannot", async () => {
    const { bus } = fixture();
    const verify = () => ({ ok: true }) as const;
    const app = createApp(bus, { verify });
    assert.equal((await app.request("/publish", { method: "POST" })).status, 404);
    const partial = {
      subscribes: () => true,
      deliver: () => Promise.resolve([]),
      tick: bus.tick,
      health: () => bus.health(),
    };
    const publish = { verify, names: ["#"] };
    assert.throws(() => createApp(partial, { verify, publish }), { code: "invalid_option" });
  });
});

describe("what was published over HTTP", () => {
  const seen = defineMessage("seen", { body: Placed.body });

  it("is sent after the answer, where the platform waits for that", async () => {
    const handled: number[] = [];
    const all = publishing({}, { transport: inProcessTransport() });
    all.bus.subscribe(seen, { group: "g" }, ({ n }) => void handled.push(n));
    const after: Promise<unknown>[] = [];
    const ctx = { waitUntil: (work: Promise<unknown>) => void after.push(work) };
    const json = { "content-type": "application/json" };
    const headers = { ...json, "cap-msg-id": "m", "cap-msg-name": "seen" };
    assert.equal((await all.post(headers, `{"n":1}`, ctx)).status, 201);
    assert.equal(after.length, 1);
    await Promise.all(after);
    assert.deepEqual(handled, [1]);
    assert.equal((await all.post(headers, `{"n":1}`, ctx)).status, 200);
    assert.equal(after.length, 1);
  });

  it("is answered for before it is sent, and whatever goes wrong then is told to onError", async () => {
    const { bus, clock } = fixture();
    bus.subscribe(seen, { group: "g" }, () => {});
    const errors: unknown[] = [];
    const broken = {
      subscribes: (name: string) => bus.subscribes(name),
      deliver: (messages: Parameters<typeof bus.deliver>[0]) => bus.deliver(messages),
      tick: () => bus.tick(),
      health: () => bus.health(),
      publishRaw: bus.publishRaw.bind(bus),
      flush: () => Promise.reject(new Error("no store")),
    };
    const app = createApp(broken, {
      verify: refuse,
      publish: { verify: () => ({ ok: true }), names: ["#"] },
      onError: (error, { requestId }) => errors.push((error as Error).message, requestId),
    });
    const after: Promise<unknown>[] = [];
    const request = new Request("http://x/publish", {
      method: "POST",
      headers: { "cap-msg-name": "seen", "x-request-id": "r-1" },
      body: `{"n":1}`,
    });
    const ctx = { waitUntil: (work: Promise<unknown>) => void after.push(work) };
    assert.equal((await app.fetch(request, {}, ctx)).status, 201);
    await Promise.all(after);
    assert.deepEqual(errors, ["no store", "r-1"]);
    assert.equal(clock.now(), NOW_MS);
  });

  it("is handled by a subscriber of this very bus", async () => {
    const handled: number[] = [];
    const all = publishing({}, { transport: inProcessTransport() });
    all.bus.subscribe(seen, { group: "g" }, ({ n }) => void handled.push(n));
    await all.post({ "cap-msg-name": "seen", "content-type": "application/json" }, `{"n":2}`);
    await all.bus.tick();
    assert.deepEqual(handled, [2]);
  });
});
