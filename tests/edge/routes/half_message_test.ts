import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { httpCheckBack, httpTransport } from "../../../adapters/http/mod.ts";
import { memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { halfRequestText } from "../../../core/wire/half_message.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import { sendRequest } from "../../../http/send_request.ts";
import { Signer } from "../../../http/signature.ts";
import type { Message } from "../../../core/message/message.ts";
import type { RetryPolicy } from "../../../core/lifecycle/retry.ts";
import { HALF_CONTENT_TYPE, QUERY_CONTENT_TYPE } from "../../../core/wire/wire.ts";
import { createApp } from "../../../edge/mod.ts";
import { createBus } from "../../../mod.ts";
import { FakeReceiver } from "../../support/fake_receiver.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { NOW_MS } from "../../support/manual_clock.ts";
import { fetchFrom, KEY, signingKey, testMessage } from "../../support/http.ts";
import {
  askRoute,
  type Keeper,
  keeperOf,
  type Participant,
  SIDE,
  startParticipant,
  verify,
} from "../../support/half_http.ts";

let side: Participant;
let keeper: Keeper;

/** A request to prepare a message, as a client writes it. */
function preparation(
  part: Partial<Message> = {},
  draft: { readonly deadlineMs?: number | null; readonly retry?: RetryPolicy | null } = {},
): Record<string, unknown> {
  const message = testMessage({ headers: { "atlast-participant": SIDE }, ...part });
  const { deadlineMs = null, retry = null } = draft;
  return JSON.parse(
    halfRequestText({ operation: "prepare", draft: { message, deadlineMs, retry } }),
  );
}

/** What the service says of a request: the status, and the body read. */
async function half(body: unknown): Promise<[number, Record<string, unknown>]> {
  const { status, headers, text } = await askRoute(keeper.url, HALF_CONTENT_TYPE, body);
  assert.equal(headers.get("content-type"), HALF_CONTENT_TYPE);
  assert.equal(headers.get("cache-control"), "no-store");
  const { inReplyTo, ...answer } = JSON.parse(text ?? "");
  // A refusal before the request is verified is not signed.
  if (status === 200) assert.match(inReplyTo, /^[0-9a-f]{64}$/);
  return [status, answer];
}

/** The status and the code of a refusal. */
async function refusal(body: unknown): Promise<[number, unknown]> {
  const [status, answer] = await half(body);
  const { code, message } = answer["error"] as Record<string, string>;
  assert.match(message!, /^Cannot .*want |^Cannot .*: /);
  return [status, code];
}

function stored(id = "m-1") {
  return keeper.store.find("outbox", { id, group: "" });
}

const PREPARED = { id: "m-1", name: "order.placed", state: "prepared" };

describe("the half-message route", () => {
  beforeEach(async () => {
    side = await startParticipant();
    keeper = await keeperOf(side.url);
  });
  afterEach(async () => {
    await keeper.close();
    await side.close();
  });

  it("prepares, confirms and tells", async () => {
    assert.deepEqual(await half(preparation()), [200, PREPARED]);
    assert.deepEqual(await half({ operation: "query", id: "m-1", participant: SIDE }), [
      200,
      PREPARED,
    ]);
    await keeper.bus.tick();
    assert.deepEqual(keeper.transport.ids, []);
    const [status, confirmed] = await half({ operation: "confirm", id: "m-1", participant: SIDE });
    assert.deepEqual([status, confirmed["state"]], [200, "scheduled"]);
    await keeper.bus.tick();
    assert.deepEqual(keeper.transport.ids, ["m-1"]);
    const [, sent] = await half({ operation: "query", id: "m-1", participant: SIDE });
    assert.equal(sent["state"], "succeeded");
    const [, again] = await half({ operation: "confirm", id: "m-1", participant: SIDE });
    assert.equal(again["state"], "succeeded");
  });

  it("cancels, once and again", async () => {
    await half(preparation());
    for (let i = 0; i < 2; i++) {
      const [status, { state }] = await half({ operation: "cancel", id: "m-1", participant: SIDE });
      assert.deepEqual([status, state], [200, "cancelled"]);
    }
    await keeper.bus.tick();
    assert.deepEqual(keeper.transport.ids, []);
  });

  it("keeps a message as it came, dated by the clock here", async () => {
    const retry = { kind: "fixed", delayMs: 5, maxAttempts: 2 } as const;
    const message = testMessage({
      headers: { "atlast-participant": SIDE, "cap-callback-name": "order.done" },
      contentType: "application/octet-stream",
      body: Uint8Array.of(0, 255, 7),
    });
    await half(preparation(message, { deadlineMs: message.sentAtMs + 5_000, retry }));
    const record = await stored();
    assert.deepEqual(record?.message.body, message.body);
    assert.deepEqual(record?.message.headers["cap-callback-name"], "order.done");
    assert.deepEqual(record?.retry, retry);
    assert.equal(record?.message.sentAtMs, NOW_MS);
    assert.equal(record?.deadlineMs, NOW_MS + 5_000);
  });

  it("takes the same message again for the same, and its first date with it", async () => {
    await half(preparation());
    const first = await stored();
    assert.deepEqual(await half(preparation()), [200, PREPARED]);
    assert.deepEqual(await stored(), first);
  });

  it("refuses to prepare a decided message again, and says its state", async () => {
    const decisions = [["confirm", "scheduled"], ["cancel", "cancelled"]] as const;
    for (const [operation, state] of decisions) {
      const message = preparation({ id: operation });
      await half(message);
      await half({ operation, id: operation, participant: SIDE });
      const response = await askRoute(keeper.url, HALF_CONTENT_TYPE, message);
      const { inReplyTo, error, ...status } = JSON.parse(response.text ?? "");
      assert.deepEqual([response.status, error.code], [409, "wrong_state"]);
      assert.deepEqual(status, { id: operation, name: "order.placed", state });
      assert.match(inReplyTo, /^[0-9a-f]{64}$/);
      assert.equal(response.headers.has("webhook-signature"), true);
    }
  });

  it("takes text that came as bytes for the text it is", async () => {
    await half(preparation());
    const request = preparation();
    const { body: _, ...item } = request["message"] as Record<string, unknown>;
    const bodyBase64 = btoa(testMessage().body as string);
    assert.deepEqual(await half({ ...request, message: { ...item, bodyBase64 } }), [200, PREPARED]);
  });

  it("answers 409 for an id that another message has", async () => {
    await keeper.close();
    const checkBack = httpCheckBack({ url: side.url, signingKeys: [KEY] });
    keeper = await keeperOf(side.url, {
      bus: { checkBacks: { [SIDE]: checkBack, other: checkBack } },
    });
    await half(preparation());
    const others: Partial<Message>[] = [
      { body: "{}" },
      { name: "order.gone" },
      { headers: { "atlast-participant": "other" } },
    ];
    for (const other of others) {
      assert.deepEqual(await refusal(preparation(other)), [409, "id_conflict"]);
    }
  });

  it("answers 409 for an outcome that contradicts the one that is known", async () => {
    await half(preparation());
    await half({ operation: "cancel", id: "m-1", participant: SIDE });
    assert.deepEqual(await refusal({ operation: "confirm", id: "m-1", participant: SIDE }), [
      409,
      "wrong_state",
    ]);
    await half(preparation({ id: "m-2" }));
    await half({ operation: "confirm", id: "m-2", participant: SIDE });
    // Confirmed, and not yet sent: an ordinary message could still be withdrawn.
    assert.deepEqual(await refusal({ operation: "cancel", id: "m-2", participant: SIDE }), [
      409,
      "wrong_state",
    ]);
    await keeper.bus.tick();
    assert.deepEqual(await refusal({ operation: "cancel", id: "m-2", participant: SIDE }), [
      409,
      "wrong_state",
    ]);
    assert.deepEqual(keeper.transport.ids, ["m-2"]);
  });

  it("does not withdraw an ordinary message, nor tell of it", async () => {
    await keeper.store.add("outbox", [newRecord(testMessage(), {})], NOW_MS);
    for (const operation of ["confirm", "cancel", "query"]) {
      const asked = { operation, id: "m-1", participant: SIDE };
      assert.deepEqual(await refusal(asked), [404, "not_found"]);
    }
  });

  it("answers 404 for an id it does not know", async () => {
    for (const operation of ["confirm", "cancel", "query"]) {
      assert.deepEqual(await refusal({ operation, id: "m-9", participant: SIDE }), [
        404,
        "not_found",
      ]);
    }
  });

  it("refuses at once what could only wait: an unknown side, a name without a route", async () => {
    const unknown = preparation({ headers: { "atlast-participant": "nobody" } });
    assert.deepEqual(await refusal(unknown), [404, "no_route"]);
    keeper.transport.unknown.add("order.placed");
    assert.deepEqual(await refusal(preparation()), [404, "no_route"]);
    assert.equal(await stored(), null);
  });

  it("answers 400 for a message without a participant: the fence here would be asked", async () => {
    for (const headers of [{}, { "atlast-participant": "" }]) {
      assert.deepEqual(await refusal(preparation({ headers })), [400, "malformed_message"]);
    }
    assert.equal(await stored(), null);
  });

  it("answers 400 for what it cannot read", async () => {
    const good = preparation();
    const item = good["message"] as Record<string, unknown>;
    const bad: unknown[] = [
      "",
      "{",
      "[]",
      "null",
      {},
      { operation: "delete", id: "m-1" },
      { operation: ["query"], id: "m-1" },
      { operation: "query" },
      { operation: "query", id: 7.5, participant: SIDE },
      { operation: "query", id: "", participant: SIDE },
      { operation: "query", id: "x".repeat(201), participant: SIDE },
      { operation: "query", id: "m-1" },
      { operation: "query", id: "m-1", participant: "" },
      { operation: "query", id: 2 ** 53, participant: SIDE },
      { operation: "query", id: "m-1", participant: 7 },
      { operation: "prepare" },
      { ...good, message: [] },
      { ...good, message: { ...item, body: undefined } },
      { ...good, message: { ...item, bodyBase64: "AAAA" } },
      { ...good, message: { ...item, headers: {} } },
      { ...good, message: { ...item, headers: { ...item["headers"] as object, "a\nb": "1" } } },
      { ...good, deadlineMs: -1 },
      { ...good, deadlineMs: "5" },
      { ...good, retry: "daily" },
      { ...good, retry: {} },
      { ...good, retry: { kind: "toString" } },
      { ...good, retry: { kind: "fixed" } },
      { ...good, retry: { kind: "list", delaysMs: 5 } },
      { ...good, retry: { kind: "list", delaysMs: [1, -1] } },
      { ...good, retry: { kind: "list", delaysMs: Array.from({ length: 1001 }, () => 1) } },
    ];
    for (const body of bad) {
      const [status] = await refusal(body);
      // What is no object has no audience.
      const want = typeof body === "string" || Array.isArray(body) ? 401 : 400;
      assert.equal(status, want, JSON.stringify(body).slice(0, 200));
    }
    assert.equal(await stored(), null);
  });

  it("keeps of a retry policy only what is one", async () => {
    const retry = { kind: "list", delaysMs: [1], factor: 9, more: "x".repeat(1000) };
    await half({ ...preparation(), retry });
    assert.deepEqual((await stored())?.retry, { kind: "list", delaysMs: [1] });
  });

  it("answers 413 for what is too large, as a request and as a message", async () => {
    const message = preparation({ body: "a".repeat(1024 * 1024 + 1), contentType: "text/plain" });
    assert.deepEqual(await refusal(message), [413, "too_large"]);
    await keeper.close();
    keeper = await keeperOf(side.url, { app: { maxBodyBytes: 1000 } });
    const request = preparation({ body: "a".repeat(1000), contentType: "text/plain" });
    assert.deepEqual(await refusal(request), [413, "too_large"]);
    assert.equal(await stored(), null);
  });

  it("answers 401 to whoever did not sign, or with another key", async () => {
    const body = JSON.stringify(preparation());
    const unsigned = await fetch(keeper.url, {
      method: "POST",
      body,
      headers: { "content-type": HALF_CONTENT_TYPE },
    });
    assert.equal(unsigned.status, 401);
    await unsigned.body?.cancel();
    const keys = [signingKey("o")];
    assert.equal((await askRoute(keeper.url, HALF_CONTENT_TYPE, body, keys)).status, 401);
    assert.equal(await stored(), null);
  });

  it("answers 415 to another content type, and 405 to another method", async () => {
    for (const type of [QUERY_CONTENT_TYPE, "application/json"]) {
      assert.equal((await askRoute(keeper.url, type, preparation())).status, 415);
    }
    const got = await fetch(keeper.url);
    assert.equal(got.status, 405);
    await got.body?.cancel();
  });

  it("is not there unless it is asked for, and only with a bus that keeps them", async () => {
    const app = createApp(keeper.bus, { verify });
    for (const path of ["/half", "/query"]) {
      assert.equal((await app.request(path, { method: "POST" })).status, 404);
    }
    for (
      const option of [
        { halfMessages: { verify, signingKeys: [KEY] } },
        { query: { verify } },
      ]
    ) {
      assert.throws(() => createApp(new FakeReceiver(), { verify, ...option }), {
        code: "invalid_option",
      });
    }
  });
});

describe("a signed request", () => {
  const bus = new FakeReceiver();
  const app = createApp(bus, { verify });

  it("of this route cannot be passed off as a message", async () => {
    const { result } = await sendRequest({
      fetch: fetchFrom((request) => {
        const headers = new Headers(request.headers);
        headers.set("cap-msg-id", "evil");
        headers.set("cap-msg-name", "order.placed");
        return app.fetch(new Request(request, { headers }));
      }),
      url: "https://x/deliver",
      contentType: HALF_CONTENT_TYPE,
      text: "{}",
      credentials: { signer: new Signer([KEY]) },
      timeoutMs: 5_000,
      maxResponseBytes: 1e6,
      signal: new AbortController().signal,
    });
    assert.ok(result.kind === "answered");
    assert.equal(result.status, 401);
    assert.deepEqual(bus.delivered, []);
  });

  it("that carries a message cannot be passed off as one of this route", async () => {
    // The body and its content type are the publisher's to choose.
    const message = testMessage({
      contentType: HALF_CONTENT_TYPE,
      body: JSON.stringify({ operation: "cancel", id: "m-7", participant: SIDE }),
    });
    for (const format of ["message", "batch"] as const) {
      const statuses: number[] = [];
      const transport = httpTransport({
        routes: { "#": "https://x/" },
        signingKeys: [KEY],
        format,
        fetch: fetchFrom(async (request) => {
          const headers = new Headers(request.headers);
          headers.set("content-type", HALF_CONTENT_TYPE);
          const { url, method } = request;
          const body = new Uint8Array(await request.arrayBuffer());
          const result = await verify({ url, method, headers }, body);
          statuses.push(result.ok ? 200 : 401);
          return new Response(null, { status: 500 });
        }),
      });
      await transport.send([message], new AbortController().signal);
      // In the raw form it is not sent at all.
      assert.deepEqual(statuses, format === "batch" ? [401] : []);
    }
  });
});

describe("recovery over HTTP", () => {
  beforeEach(async () => {
    side = await startParticipant();
    keeper = await keeperOf(side.url);
  });
  afterEach(async () => {
    await keeper.close();
    await side.close();
  });

  it("confirms what the fence of the participant says took place", async () => {
    await half(preparation());
    await side.fence.transaction((tx) => side.fence.commit("m-1", 1, tx));
    keeper.clock.advance(10_000);
    await keeper.bus.tick();
    assert.deepEqual(keeper.transport.ids, ["m-1"]);
  });

  it("cancels what it says did not, and holds off an operation that comes late", async () => {
    await half(preparation());
    keeper.clock.advance(10_000);
    await keeper.bus.tick();
    assert.equal((await stored())?.state, "cancelled");
    await assert.rejects(
      side.fence.transaction((tx) => side.fence.commit("m-1", 1, tx)),
      { code: "fenced_off" },
    );
  });

  it("asks with the name, the epoch and the side of the message", async () => {
    const questions: unknown[] = [];
    await keeper.close();
    const checkBack = {
      check: (question: unknown) => {
        questions.push(question);
        return Promise.resolve("unknown" as const);
      },
    };
    keeper = await keeperOf(side.url, { bus: { checkBacks: { [SIDE]: checkBack } } });
    await half(preparation());
    keeper.clock.advance(60_000);
    await keeper.bus.tick();
    assert.deepEqual(questions, [{
      id: "m-1",
      name: "order.placed",
      epoch: 1,
      participant: SIDE,
      preparedAtMs: NOW_MS,
      checkedAtMs: NOW_MS + 60_000,
    }]);
  });

  it("never uses up checks on a side that is not reached, and tells why", async () => {
    await half(preparation());
    await side.close();
    for (let i = 0; i < 30; i++) {
      keeper.clock.advance(60_000);
      await keeper.bus.tick();
    }
    const record = await stored();
    assert.deepEqual([record?.state, record?.checks, record?.unreachable], ["prepared", 0, 30]);
    const errors = keeper.observed.all("error", { during: "check-back" });
    assert.equal(errors.length, 30);
    assert.match(String(errors[0]?.error), /Cannot check back: cannot reach 127\.0\.0\.1/);
    side = await startParticipant(side.fence);
  });

  it("parks what a page answers for, and still takes the outcome when it comes", async () => {
    await keeper.close();
    keeper = await keeperOf(side.url, {
      bus: {
        check: { maxChecks: 3 },
        checkBacks: {
          [SIDE]: httpCheckBack({
            url: "https://side.test/",
            signingKeys: [KEY],
            fetch: fetchFrom(() => new Response("<h1>Welcome</h1>")),
          }),
        },
      },
    });
    await half(preparation());
    for (let i = 0; i < 3; i++) {
      keeper.clock.advance(600_000);
      await keeper.bus.tick();
    }
    assert.equal((await stored())?.state, "in_doubt");
    assert.equal(keeper.observed.all("in_doubt").length, 1);
    const [status, { state }] = await half({ operation: "confirm", id: "m-1", participant: SIDE });
    assert.deepEqual([status, state], [200, "scheduled"]);
  });
});

describe("a bus without a fence", () => {
  it("keeps no half message of its own, for nobody could be asked about it", async () => {
    const bus = createBus({ store: memoryStore(), transport: new FakeTransport() });
    const draft = { message: testMessage(), deadlineMs: null, retry: null };
    await assert.rejects(bus.halfMessages.prepare(draft), { code: "no_route" });
    await bus.stop();
    const fenced = createBus({
      store: memoryStore(),
      transport: new FakeTransport(),
      fence: memoryFence(),
    });
    assert.equal((await fenced.halfMessages.prepare(draft)).state, "prepared");
    await fenced.stop();
  });
});
