import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Webhook } from "standardwebhooks";
import * as z from "zod";
import {
  httpTransport,
  type HttpTransportOptions,
  verifySignature,
} from "../../../adapters/http/mod.ts";
import {
  inProcessTransport,
  memoryStore,
  type MemoryTransaction,
} from "../../../adapters/memory/mod.ts";
import type { NewRecord } from "../../../core/ports/record.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import { messageOfItem, QUERY_CONTENT_TYPE } from "../../../core/wire/wire.ts";
import { createApp, type QueryOptions, verifyBearer } from "../../../edge/mod.ts";
import {
  type Bus,
  createBus,
  defineMessage,
  NOTIFY_RETRY,
  type PublishOptions,
  type RetryPolicy,
  type State,
} from "../../../mod.ts";
import { maxAttempts, nextAttemptAt } from "../../../ports.ts";
import { FakeReceiver } from "../../support/fake_receiver.ts";
import { KEY, signingKey, testMessage } from "../../support/http.ts";
import { askRoute, silent, verify } from "../../support/half_http.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { Observed } from "../../support/observed.ts";
import { serve, type TestServer } from "../../support/serve.ts";

const Paid = defineMessage("payment.made", { body: z.object({ n: z.number() }) });
const OTHER_KEY = signingKey("o");
/** For the route of a name: what merchants say there is no answer of a service's. */
const ONCE: RetryPolicy = { kind: "list", delaysMs: [] };
const DELAYS_MS = [1_000, 5_000, 60_000];

/** A receiver of notifications that is told what to answer. */
class Merchant {
  readonly requests: { readonly path: string; readonly headers: Headers; readonly body: string }[] =
    [];
  respond: () => Response = () => new Response("success");
  server!: TestServer;

  async open(): Promise<void> {
    this.server = await serve(async (request) => {
      const { pathname } = new URL(request.url);
      this.requests.push({
        path: pathname,
        headers: request.headers,
        body: await request.text(),
      });
      return this.respond();
    });
  }

  get url(): string {
    return `${this.server.origin}/notify?merchant=7`;
  }
}

let merchant: Merchant;
let clock: ManualClock;
let observed: Observed;
let bus: Bus<MemoryTransaction>;

function busWith(options: Partial<HttpTransportOptions> = {}): Bus<MemoryTransaction> {
  clock = new ManualClock();
  observed = new Observed();
  return createBus<MemoryTransaction>({
    store: memoryStore(),
    transport: httpTransport({
      routes: { [Paid.name]: `${merchant.server.origin}/route` },
      signingKeys: [KEY],
      destinations: [{ url: merchant.server.origin, signingKeys: [OTHER_KEY] }],
      ...options,
    }),
    clock,
    observe: observed.observe,
  });
}

function notify(options: PublishOptions<MemoryTransaction, void> = {}) {
  return bus.publish(Paid, { n: 1 }, {
    destination: merchant.url,
    retry: { kind: "list", delaysMs: DELAYS_MS },
    ...options,
  });
}

function stateOf(id: string): Promise<State | undefined> {
  return bus.store.find("outbox", { id, group: "" }).then((record) => record?.state);
}

describe("a best-effort notification", () => {
  beforeEach(async () => {
    merchant = new Merchant();
    await merchant.open();
    bus = busWith();
  });
  afterEach(async () => {
    await bus.stop();
    await merchant.server.close();
  });

  it("goes to its destination as it is, signed so that any library can verify it", async () => {
    const { id } = await notify({ headers: { "cap-x": "1" } });
    await bus.tick();
    assert.equal(await stateOf(id), "succeeded");
    const [request] = merchant.requests;
    assert.equal(merchant.requests.length, 1);
    assert.equal(request?.path, "/notify");
    assert.equal(request?.body, `{"n":1}`);
    assert.equal(request?.headers.get("content-type"), "application/json");
    assert.equal(request?.headers.get("cap-msg-id"), id);
    assert.equal(request?.headers.get("cap-x"), "1");
    const headers = Object.fromEntries(request!.headers);
    // The library checks the time too, by the system's clock, which here is not the test's.
    new Webhook(OTHER_KEY).verify(request!.body, headers);
    assert.throws(() => new Webhook(KEY).verify(request!.body, headers));
  });

  it("without a destination goes by the route of its name, beside others that have one", async () => {
    merchant.respond = () => new Response(null, { status: 500 });
    await bus.publish(Paid, { n: 2 }, { retry: ONCE });
    await notify();
    await bus.tick();
    assert.deepEqual(merchant.requests.map(({ path }) => path).sort(), ["/notify", "/route"]);
  });

  it("is repeated by the list of delays, and then is failed", async () => {
    merchant.respond = () => new Response("busy", { status: 503 });
    const { id } = await notify();
    const times: number[] = [];
    for (const delayMs of [0, ...DELAYS_MS]) {
      clock.advance(delayMs - 1);
      await bus.tick();
      times.push(merchant.requests.length);
      clock.advance(1);
      await bus.tick();
    }
    assert.deepEqual(times, [0, 1, 2, 3]);
    assert.equal(merchant.requests.length, 4);
    assert.equal(await stateOf(id), "failed");
    clock.advance(1e9);
    await bus.tick();
    assert.equal(merchant.requests.length, 4);
  });

  it("ends with its deadline, however many delays are left", async () => {
    merchant.respond = () => new Response("busy", { status: 503 });
    const { id } = await notify({ deadlineMs: 10_000 });
    for (const delayMs of [0, 1_000, 5_000]) {
      clock.advance(delayMs);
      await bus.tick();
    }
    assert.equal(merchant.requests.length, 3);
    assert.equal(await stateOf(id), "failed");
    const record = await bus.store.find("outbox", { id, group: "" });
    assert.match(record?.reason ?? "", /answered 503/);
  });

  it("is not sent once its deadline has passed", async () => {
    const { id } = await notify({ deadlineMs: 10_000, delayMs: 10_000 });
    clock.advance(20_000);
    await bus.tick();
    assert.deepEqual([merchant.requests.length, await stateOf(id)], [0, "failed"]);
  });

  it("by default is repeated ever more seldom, for about a day", () => {
    const delays = NOTIFY_RETRY.delaysMs.map((_, i) => nextAttemptAt(NOTIFY_RETRY, i + 1, 0, 0)!);
    assert.equal(maxAttempts(NOTIFY_RETRY), delays.length + 1);
    assert.deepEqual(delays, delays.toSorted((a, b) => a - b));
    const hours = delays.reduce((sum, ms) => sum + ms, 0) / 3_600_000;
    assert.ok(hours > 24 && hours < 26, `${hours}`);
  });

  const answers: [string, () => Response, State][] = [
    ["success", () => new Response("success"), "succeeded"],
    ["no content", () => new Response(null, { status: 204 }), "succeeded"],
    ["accepted", () => Response.json({ ok: true }, { status: 202 }), "succeeded"],
    // The default type of many frameworks.
    [
      "HTML",
      () => new Response("ok", { headers: { "content-type": "text/html" } }),
      "succeeded",
    ],
    ["results of its own", () => Response.json({ results: [] }), "succeeded"],
    [
      "a redirect",
      () => new Response(null, { status: 302, headers: { location: "/" } }),
      "scheduled",
    ],
    ["404", () => new Response(null, { status: 404 }), "scheduled"],
    ["400", () => new Response(null, { status: 400 }), "failed"],
    [
      "an Atlast service's refusal",
      () => Response.json({ results: [{ id: "n-1", status: "no_subscriber" }] }),
      "scheduled",
    ],
    [
      "an Atlast service's word for another",
      () => Response.json({ results: [{ id: "n-2", status: "handled" }] }),
      "scheduled",
    ],
  ];
  for (const [title, respond, state] of answers) {
    it(`that is answered with ${title} is ${state}`, async () => {
      merchant.respond = respond;
      await notify({ id: "n-1" });
      await bus.tick();
      assert.equal(merchant.requests.length, 1);
      assert.equal(await stateOf("n-1"), state);
    });
  }

  it("is not followed where a redirect leads", async () => {
    merchant.respond = () =>
      new Response(null, { status: 307, headers: { location: "/elsewhere" } });
    await notify();
    await bus.tick();
    assert.deepEqual(merchant.requests.map(({ path }) => path), ["/notify"]);
  });

  it("is signed with keys of its own, or not at all", async () => {
    await notify();
    await bus.publish(Paid, { n: 2 }, { retry: ONCE });
    await bus.tick();
    for (const { path, headers, body } of merchant.requests) {
      const key = path === "/notify" ? OTHER_KEY : KEY;
      new Webhook(key).verify(body, Object.fromEntries(headers));
    }
    assert.equal(merchant.requests.length, 2);
    await bus.stop();
    bus = busWith({ destinations: [{ url: merchant.server.origin, unsigned: true }] });
    await notify();
    await bus.tick();
    const { headers } = merchant.requests[2]!;
    assert.deepEqual([...headers.keys()].filter((name) => name.startsWith("webhook-")), []);
  });

  it("passes at none of our own services, whoever chose it and its body", async () => {
    const { id } = await notify({ headers: { "cap-callback-name": "payment.refund" } });
    await bus.tick();
    const [request] = merchant.requests;
    const receiver = new FakeReceiver();
    const app = createApp(receiver, { verify: verifySignature({ signingKeys: [KEY] }) });
    const { headers, body } = request!;
    assert.equal(headers.get("cap-msg-id"), id);
    const response = await app.request("/deliver", { method: "POST", headers, body });
    assert.equal(response.status, 401);
    assert.match(await response.text(), /no key here made it/);
    assert.deepEqual(receiver.delivered, []);
  });
});

describe("a destination that is not allowed", () => {
  beforeEach(async () => {
    merchant = new Merchant();
    await merchant.open();
    bus = busWith();
  });
  afterEach(async () => {
    await bus.stop();
    await merchant.server.close();
  });

  async function refused(options: PublishOptions<MemoryTransaction, void>): Promise<void> {
    await assert.rejects(notify(options), (error: Error & { code?: string }) => {
      assert.equal(error.code, "no_route");
      assert.match(error.message, /^Cannot publish "payment\.made" to a destination .* want /);
      return !error.message.includes("secret");
    });
    assert.deepEqual(await bus.store.list({ box: "outbox", limit: 9 }), []);
  }

  it("is refused at publish, and the URL is not shown", async () => {
    const { host } = new URL(merchant.url);
    const bad = [
      "http://127.0.0.1:1/secret",
      "http://169.254.169.254/latest/meta-data?secret",
      "http://localhost/secret",
      "http://[::1]/secret",
      `ftp://${host}/secret`,
      `file:///secret`,
      `javascript:secret`,
      `http://user:secret@${host}/`,
      `http://secret@${host}/`,
      `http://${host}.evil.test/secret`,
      `//${host}/secret`,
      "secret",
      "",
    ];
    for (const destination of bad) await refused({ destination });
  });

  it("is refused as a header, too", async () => {
    const headers = { "Atlast-Destination": "http://127.0.0.1:1/secret" };
    const publishing = bus.publish(Paid, { n: 1 }, { headers });
    await assert.rejects(publishing, { code: "no_route" });
  });

  it("is every one, if nothing is said", async () => {
    await bus.stop();
    clock = new ManualClock();
    bus = createBus<MemoryTransaction>({
      store: memoryStore(),
      transport: httpTransport({
        routes: { "#": `${merchant.server.origin}/route` },
        signingKeys: [KEY],
      }),
      clock,
    });
    await refused({});
  });

  it("is one whose check breaks, or says something else than yes", async () => {
    const checks: ((url: URL) => boolean)[] = [
      () => {
        throw new Error("broken");
      },
      () => "yes" as unknown as boolean,
      (() => Promise.resolve(true)) as unknown as () => boolean,
    ];
    for (const url of checks) {
      await bus.stop();
      bus = busWith({ destinations: [{ url, unsigned: true }] });
      await refused({});
    }
  });

  it("is not sent to when it is no longer allowed, and waits for one who may", async () => {
    await bus.stop();
    let allowed = true;
    bus = busWith({ destinations: [{ url: () => allowed, unsigned: true }] });
    const { id } = await notify({ delayMs: 1_000 });
    allowed = false;
    clock.advance(1_000);
    await bus.tick();
    assert.deepEqual([merchant.requests.length, await stateOf(id)], [0, "scheduled"]);
    allowed = true;
    clock.advance(60_000);
    await bus.tick();
    assert.deepEqual([merchant.requests.length, await stateOf(id)], [1, "succeeded"]);
  });

  it("is every one in process", async () => {
    const inProcess = createBus({ store: memoryStore(), transport: inProcessTransport() });
    inProcess.subscribe(Paid, { group: "all" }, () => {});
    const publishing = inProcess.publish(Paid, { n: 1 }, { destination: merchant.url });
    await assert.rejects(publishing, { code: "no_route" });
    await inProcess.stop();
  });

  it("leaves a message that has none as it is", async () => {
    await bus.publish(Paid, { n: 1 }, { retry: ONCE });
    await bus.tick();
    assert.deepEqual(merchant.requests.map(({ path }) => path), ["/route"]);
  });
});

describe("the query route", () => {
  let server: TestServer;
  let url = "";

  async function open(own: Partial<QueryOptions> = {}): Promise<void> {
    const query = { verify, ...own };
    const app = createApp(bus, { verify, query, onError: silent });
    server = await serve(app.fetch);
    url = `${server.origin}/query`;
  }

  beforeEach(async () => {
    merchant = new Merchant();
    await merchant.open();
    bus = busWith();
    await open();
  });
  afterEach(async () => {
    await bus.stop();
    await server.close();
    await merchant.server.close();
  });

  async function query(body: unknown): Promise<[number, Record<string, unknown>]> {
    const { status, headers, text } = await askRoute(url, QUERY_CONTENT_TYPE, body);
    assert.equal(headers.get("content-type"), QUERY_CONTENT_TYPE);
    assert.equal(headers.get("cache-control"), "no-store");
    return [status, JSON.parse(text ?? "")];
  }

  function ask(id: string, message?: boolean): Promise<[number, Record<string, unknown>]> {
    return query({ operation: "query", id, ...(message === undefined ? {} : { message }) });
  }

  it("tells one who missed every notification how it stands and what it says", async () => {
    merchant.respond = () => new Response(null, { status: 503 });
    await notify({ id: "payment-7", headers: { "cap-x": "1" } });
    await bus.tick();
    const outcome = { id: "payment-7", name: Paid.name };
    assert.deepEqual(await ask("payment-7"), [200, { ...outcome, state: "scheduled" }]);
    for (const delayMs of DELAYS_MS) {
      clock.advance(delayMs);
      await bus.tick();
    }
    assert.deepEqual(await ask("payment-7", false), [200, { ...outcome, state: "failed" }]);
    const [, { message, ...rest }] = await ask("payment-7", true);
    assert.deepEqual(rest, { ...outcome, state: "failed" });
    const read = messageOfItem(message, 0);
    assert.deepEqual([read.id, read.name, read.body], ["payment-7", Paid.name, `{"n":1}`]);
    assert.deepEqual([read.headers["cap-x"], read.sentAtMs], ["1", NOW_MS]);
  });

  it("gives no message that is not out: what it says may never come true", async () => {
    const states: [State, number, boolean][] = [
      ["prepared", 0, false],
      ["in_doubt", 0, false],
      ["cancelled", 1, false],
      ["scheduled", 0, false],
      ["scheduled", 1, true],
      ["succeeded", 1, true],
      ["failed", 0, true],
    ];
    for (const [state, attempts, isOut] of states) {
      const id = `${state}-${attempts}`;
      const record: NewRecord = { ...newRecord(testMessage({ id }), {}), state: "scheduled" };
      await bus.store.add("outbox", [record], NOW_MS);
      const stored = await bus.store.find("outbox", { id, group: "" });
      const { dueAtMs, deadlineMs, crashes, checks, unreachable, note, details } = stored!;
      await bus.store.settle("outbox", [{
        key: { id, group: "" },
        epoch: 0,
        guard: "anyone while free",
        from: "scheduled",
        patch: {
          ...{ state, attempts, dueAtMs, deadlineMs, crashes, checks, unreachable, note, details },
          expiresAtMs: null,
          reason: "private",
        },
      }]);
      const [status, answer] = await ask(id, true);
      assert.deepEqual([status, answer["state"], "message" in answer], [200, state, isOut], id);
      assert.ok(!JSON.stringify(answer).includes("private"));
    }
  });

  it("answers 404 for what is not there", async () => {
    const [status, { error }] = await ask("nothing");
    assert.deepEqual([status, (error as { code: string }).code], [404, "not_found"]);
  });

  it("tells nobody of what is not theirs, nor that it is there", async () => {
    await server.close();
    await open({
      verify: verifyBearer("merchant-7-token-0000"),
      allows: ({ headers }, { headers: asked }) =>
        asked.get("authorization") === "Bearer merchant-7-token-0000" &&
        (headers["atlast-destination"] ?? "").includes("merchant=7"),
    });
    await notify({ id: "mine" });
    await bus.publish(Paid, { n: 2 }, { id: "theirs" });
    await bus.tick();
    const post = async (id: string): Promise<[number, string]> => {
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": QUERY_CONTENT_TYPE,
          authorization: "Bearer merchant-7-token-0000",
        },
        body: JSON.stringify({ operation: "query", id }),
      });
      return [response.status, (await response.text()).replaceAll(id, "…")];
    };
    assert.equal((await post("mine"))[0], 200);
    assert.deepEqual(await post("theirs"), await post("nothing"));
  });

  it("refuses what it cannot read, or is not signed for it", async () => {
    const bad = [
      "",
      "[]",
      {},
      { id: "m-1" },
      { operation: "cancel", id: "m-1" },
      { operation: "query", id: 7.5 },
      { operation: "query", id: 2 ** 53 },
      { operation: "query", id: "" },
      { operation: "query", id: "m-1", message: "yes" },
    ];
    for (const body of bad) {
      // What is no object has no audience.
      const want = typeof body === "string" ? 401 : 400;
      assert.equal((await query(body))[0], want, JSON.stringify(body));
    }
    const large = { operation: "query", id: "m-1", more: "x".repeat(5_000) };
    assert.equal((await query(large))[0], 413);
    const good = { operation: "query", id: "m-1" };
    assert.equal((await askRoute(url, QUERY_CONTENT_TYPE, good, [OTHER_KEY])).status, 401);
    assert.equal((await askRoute(url, "application/json", good)).status, 415);
  });
});
