import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { Webhook } from "standardwebhooks";
import { httpCheckBack, httpTransport, verifySignature } from "../../adapters/http/mod.ts";
import { createApp } from "../../edge/mod.ts";
import { subscribe } from "../../mod.ts";
import { fixture, Marked, Placed } from "../support/bus_fixture.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { fetchFrom, KEY, requestsFor, signingKey, testMessage } from "../support/http.ts";

/** The key of a partner, as a library of the standard has it. */
const PARTNER = signingKey("p");
const partner = new Webhook(PARTNER);
const type = (kind: string) => `application/vnd.atlast.${kind}+json`;

/** A signed request, made with a library of Standard Webhooks alone. */
function signed(
  path: string,
  kind: string,
  value: unknown,
  id = "any id. of the partner",
): Request {
  const body = JSON.stringify(value);
  const now = new Date();
  return new Request(`https://orders.test${path}`, {
    method: "POST",
    body,
    headers: {
      "content-type": type(kind),
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
      "webhook-signature": partner.sign(id, now, body),
    },
  });
}

const item = (headers: Record<string, unknown>, body = `{"n":1}`) => ({ headers, body });
const principal = { name: "partner", kind: "publisher", callbackNames: ["order.*"] } as const;
const verify = verifySignature({ signingKeys: [PARTNER], audience: "orders", principal });

/** A service that a partner delivers to and publishes through. */
function orders() {
  const handled: unknown[] = [];
  const transport = new FakeTransport();
  const { bus } = fixture([
    subscribe(Placed, { group: "g" }, (body, { message }) => {
      handled.push([message.id, body]);
    }),
  ], { transport });
  const app = createApp(bus, { verify, publish: { verify, names: ["order.*"] } });
  return { bus, app, handled, transport };
}

describe("a service with a library of Standard Webhooks", () => {
  it("delivers under any webhook-id, for the service and the route that it names", async () => {
    const { bus, app, handled } = orders();
    const messages = [item({ "Cap-Msg-Id": 7, "cap-msg-name": Placed.name, "cap-corr-seq": 0 })];
    const good = signed("/deliver", "batch", { audience: "orders/deliver", messages });
    const response = await app.fetch(good);
    assert.deepEqual(await response.json(), { results: [{ id: "7", status: "handled" }] });
    assert.deepEqual(handled, [["7", { n: 1 }]]);
    for (const audience of ["deliver", "mail/deliver", "orders/publish", undefined, 7]) {
      const refused = await app.fetch(signed("/deliver", "batch", { audience, messages }));
      assert.equal(refused.status, 401);
      assert.match((await refused.json()).error.message, /"audience": "orders\/deliver"/);
    }
    // Headers beside the body are not signed, and so not read.
    const raw = signed("/deliver", "batch", { n: 1 });
    raw.headers.set("content-type", "application/json");
    raw.headers.set("cap-msg-id", "evil");
    raw.headers.set("cap-msg-name", Placed.name);
    assert.equal((await app.fetch(raw)).status, 401);
    assert.equal(handled.length, 1);
    await bus.stop();
  });

  it("publishes one message with all its headers, once", async () => {
    const { bus, app } = orders();
    const audience = "orders/publish";
    const headers = {
      "cap-msg-id": "p-1",
      "cap-msg-name": Placed.name,
      "cap-callback-name": Marked.name,
      "cap-delaytime": 60_000,
      tenant: "ü",
    };
    const post = (value: object) => app.fetch(signed("/publish", "batch", { audience, ...value }));
    const messages = [item(headers, `{ "n": 1 }`)];
    assert.equal((await post({ messages })).status, 201);
    assert.equal((await post({ messages })).status, 200);
    assert.equal((await post({ messages: [item(headers, `{"n":2}`)] })).status, 409);
    const record = await bus.store.find("outbox", { id: "p-1", group: "" });
    const { message, dueAtMs, createdAtMs } = record!;
    assert.deepEqual([message.body, message.headers["tenant"]], [`{ "n": 1 }`, "ü"]);
    assert.equal(message.headers["cap-callback-name"], Marked.name);
    assert.equal(dueAtMs - createdAtMs, 60_000);
    const bytes = { headers: { "cap-msg-name": "order.bytes" }, bodyBase64: "/wA" };
    const unnamed = signed("/publish", "batch", { audience, messages: [bytes] }, "msg_1");
    const copy = unnamed.clone();
    const { id } = await (await app.fetch(unnamed)).json();
    // A copy of the request is the same message.
    assert.deepEqual([id, (await app.fetch(copy)).status], ["msg_1", 200]);
    const stored = await bus.store.find("outbox", { id, group: "" });
    assert.deepEqual(stored?.message.body, new Uint8Array([0xff, 0]));
    const bad: [object, number][] = [
      [{ messages: [...messages, item({ ...headers, "cap-msg-id": "p-2" })] }, 400],
      [{ messages: [] }, 400],
      [{ messages: [item({ ...headers, "cap-msg-id": 2 ** 53 })] }, 400],
      [{ messages: [item({ ...headers, "cap-msg-id": ["p"] })] }, 400],
      [{ messages: [item({ "cap-msg-id": "p-3" })] }, 400],
      [{ messages: [{ headers }] }, 400],
      [{ messages: [{ ...item(headers), contentType: "a\nb" }] }, 400],
      [{ messages: [item({ ...headers, "atlast-participant": "x" })] }, 400],
      [{ messages: [item({ "cap-msg-name": "secret.one" })] }, 403],
      [{ messages: [item({ ...headers, "cap-callback-name": "secret.one" })] }, 403],
      [{ messages, audience: "orders/deliver" }, 401],
    ];
    for (const [value, status] of bad) {
      assert.equal((await post(value)).status, status, JSON.stringify(value));
    }
    await bus.stop();
  });

  it("takes messages under one webhook-id each, signed for it alone", async () => {
    const route = { url: "https://partner.test/in", audience: "partner", signingKeys: [PARTNER] };
    const messages = ["m-1", "m-2"].map((id) =>
      testMessage({ id, headers: { tenant: "7", "cap-callback-name": "order.marked" } })
    );
    const options = {
      routes: { "#": { ...route, answers: "any_2xx" } },
      signingKeys: [KEY],
    } as const;
    const first = await requestsFor(messages, options);
    const again = await requestsFor(
      messages.map((message) => ({ ...message, firstAttemptAtMs: 1 })),
      options,
    );
    const ids = (requests: Request[]) =>
      requests.map(({ headers }) => headers.get("webhook-id")).sort();
    // The standard's idempotency key: the same for the same message, however often it is sent.
    assert.deepEqual(ids(first), ids(again));
    assert.equal(new Set(ids(first)).size, 2);
    for (const request of first) {
      const body = await request.text();
      partner.verify(body, Object.fromEntries(request.headers));
      const { audience, messages: [message, ...others] } = JSON.parse(body);
      assert.deepEqual([audience, others], ["partner/deliver", []]);
      assert.equal(message.body, `{"orderId":1}`);
      assert.equal(message.headers.tenant, "7");
      assert.equal(message.headers["cap-callback-name"], "order.marked");
    }
  });

  it("keeps half messages, and answers check-backs", async () => {
    const asked: Record<string, unknown>[] = [];
    const check = httpCheckBack({
      url: "https://partner.test/checkback",
      audience: "partner",
      signingKeys: [PARTNER],
      fetch: fetchFrom(async (request) => {
        const body = await request.text();
        const headers = Object.fromEntries(request.headers);
        const question = partner.verify(body, headers) as Record<string, unknown>;
        asked.push(question);
        return answering(headers, body, { id: question["id"], epoch: question["epoch"] });
      }),
    });
    const transport = new FakeTransport();
    const { bus, clock } = fixture([], { transport, checkBacks: { partner: check } });
    const app = createApp(bus, {
      verify,
      halfMessages: {
        verify: verifySignature({
          signingKeys: [PARTNER],
          audience: "orders",
          principal: { name: "partner", kind: "participant" },
        }),
        signingKeys: [PARTNER],
        names: ["order.*"],
      },
    });
    const half = async (value: object): Promise<Record<string, unknown>> => {
      const request = signed("/half", "half", { audience: "orders/half", ...value });
      const reference = referenceOf(
        Object.fromEntries(request.headers),
        await request.clone().text(),
      );
      const response = await app.fetch(request);
      const text = await response.text();
      const answer = partner.verify(text, Object.fromEntries(response.headers));
      const { inReplyTo, ...rest } = answer as Record<string, unknown>;
      assert.equal(inReplyTo, reference);
      return rest;
    };
    const prepare = (id: string) => {
      const headers = { "cap-msg-id": id, "cap-msg-name": Placed.name };
      const message = item({ ...headers, "atlast-participant": "partner" });
      return half({ operation: "prepare", message });
    };
    const about = (operation: string, id: string) =>
      half({ operation, id, participant: "partner" });
    assert.equal((await prepare("h-1"))["state"], "prepared");
    assert.equal((await about("confirm", "h-1"))["state"], "scheduled");
    await prepare("h-2");
    assert.equal((await about("cancel", "h-2"))["state"], "cancelled");
    const { error } = await about("confirm", "h-2");
    assert.equal((error as { code: string }).code, "wrong_state");
    await prepare("h-3");
    clock.advance(10_000);
    await bus.tick();
    assert.deepEqual(asked.map(({ audience, id }) => [audience, id]), [[
      "partner/checkback",
      "h-3",
    ]]);
    await bus.tick();
    assert.deepEqual(transport.ids.toSorted(), ["h-1", "h-3"]);
    await bus.stop();
  });

  /** The answer of a participant that has a library for signing. */
  function answering(
    headers: Record<string, string>,
    body: string,
    about: Record<string, unknown>,
  ): Response {
    const inReplyTo = referenceOf(headers, body);
    const text = JSON.stringify({ inReplyTo, ...about, answer: "committed" });
    const now = new Date();
    return new Response(text, {
      headers: {
        "content-type": type("checkback"),
        "webhook-id": "answer 1",
        "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
        "webhook-signature": partner.sign("answer 1", now, text),
      },
    });
  }

  function referenceOf(headers: Record<string, string>, body: string): string {
    const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    return createHash("sha256").update(content).digest("hex");
  }
});

it("a route's format and answers are checked", () => {
  for (const wrong of [{ format: "json" }, { answers: "2xx" }, { answers: null }, { format: 7 }]) {
    const url = "https://partner.test/in";
    const route = { url, ...wrong } as { url: string };
    assert.throws(() => httpTransport({ routes: { "a": route }, signingKeys: [KEY] }), {
      code: "invalid_option",
    });
    const destinations = [{ ...route, unsigned: true as const }];
    assert.throws(() => httpTransport({ routes: {}, signingKeys: [KEY], destinations }), {
      code: "invalid_option",
    });
  }
});
