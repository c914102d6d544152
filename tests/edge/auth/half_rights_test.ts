import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { verifySignature } from "../../../adapters/http/mod.ts";
import { memoryFence } from "../../../adapters/memory/mod.ts";
import { halfRequestText } from "../../../core/wire/half_message.ts";
import { questionText } from "../../../core/wire/check_back.ts";
import type { Message } from "../../../core/message/message.ts";
import type { Principal } from "../../../core/principal.ts";
import { DEFAULT_RETRY, NOTIFY_RETRY, type RetryPolicy } from "../../../core/lifecycle/retry.ts";
import { CHECKBACK_CONTENT_TYPE, HALF_CONTENT_TYPE, type Verify } from "../../../core/wire/wire.ts";
import {
  type App,
  type AppOptions,
  createApp,
  createCheckBackApp,
  verifyAny,
  verifyBearer,
} from "../../../edge/mod.ts";
import { createClient } from "../../../client/mod.ts";
import { type Bus, createBus } from "../../../mod.ts";
import { memoryStore, type MemoryTransaction } from "../../../adapters/memory/mod.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Paid } from "../../support/half_world.ts";
import { KEY, signingKey, testMessage } from "../../support/http.ts";
import { askRoute, silent } from "../../support/half_http.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { serve, type TestServer } from "../../support/serve.ts";

/** Keys of our own services, of the two participants outside, and of who may only deliver. */
const [OWN, PAY, BILL, DELIVER] = [KEY, signingKey("p"), signingKey("b"), signingKey("d")];
const TOKEN = "0123456789abcdef";

function participant(name: string, callbackNames?: readonly string[]): Principal {
  return { name, kind: "participant", ...(callbackNames === undefined ? {} : { callbackNames }) };
}

function signedBy(key: string, principal?: Principal): Verify {
  return verifySignature({ signingKeys: [key], ...(principal === undefined ? {} : { principal }) });
}

const VERIFY = verifyAny(
  signedBy(OWN),
  signedBy(PAY, participant("payments", ["payment.shipped"])),
  signedBy(BILL, participant("billing")),
);

const NAMES = { payments: ["payment.*"], billing: ["invoice.#"] };

let store = memoryStore();
let transport: FakeTransport;
let clock: ManualClock;
let bus: Bus<MemoryTransaction>;
let server: TestServer;

async function open(app: Partial<AppOptions> = {}): Promise<void> {
  clock = new ManualClock();
  store = memoryStore();
  transport = new FakeTransport();
  const ask = () => Promise.resolve("unknown" as const);
  bus = createBus<MemoryTransaction>({
    store,
    transport,
    clock,
    random: () => 0,
    fence: memoryFence(),
    checkBacks: { payments: { check: ask }, billing: { check: ask }, stock: { check: ask } },
  });
  server = await serve(
    createApp(bus, {
      verify: signedBy(DELIVER),
      halfMessages: { verify: VERIFY, signingKeys: [OWN, PAY, BILL], names: NAMES },
      onError: silent,
      ...app,
    }).fetch,
  );
}

async function close(): Promise<void> {
  await bus.stop();
  await server.close();
}

/** What the half route says to a request signed with a key: the status, and the code of a refusal or the state. */
async function half(key: string, body: unknown): Promise<[number, unknown]> {
  const url = `${server.origin}/half`;
  const { status, text } = await askRoute(url, HALF_CONTENT_TYPE, body, [key]);
  const said = JSON.parse(text ?? "");
  return [status, said.error?.code ?? said.state];
}

function preparation(
  name: string,
  own: Partial<Message> & { readonly participant?: string } = {},
  retry: RetryPolicy | null = null,
): string {
  const { participant = "payments", headers, ...part } = own;
  const message = testMessage({
    name,
    ...part,
    headers: { "atlast-participant": participant, ...headers },
  });
  return halfRequestText({ operation: "prepare", draft: { message, deadlineMs: null, retry } });
}

const about = (operation: string, participant: string, id = "m-1") => ({
  operation,
  id,
  participant,
});

async function stateOf(id = "m-1"): Promise<string | undefined> {
  return (await store.find("outbox", { id, group: "" }))?.state;
}

describe("a route of its own right", () => {
  it("wants a verifier of its own at construction", () => {
    const bus = createBus({ store: memoryStore(), transport: new FakeTransport() });
    const verify = signedBy(DELIVER);
    const parts = { participant: "orders", signingKeys: [OWN] };
    for (
      const option of [{ tick: {} }, { halfMessages: parts }, { checkBack: parts }, {
        query: {},
      }] as const
    ) {
      const make = () => createApp(bus, { verify, ...option } as unknown as AppOptions);
      const [name] = Object.keys(option);
      assert.throws(make, {
        code: "invalid_option",
        message: new RegExp(`^Cannot use ${name} without a verifier of its own`),
      });
    }
    assert.throws(() => createCheckBackApp(memoryFence(), parts as never), {
      code: "invalid_option",
    });
  });

  it("is not there where nothing asks for it, tick included", async () => {
    const bus = createBus({ store: memoryStore(), transport: new FakeTransport() });
    const app = createApp(bus, { verify: signedBy(DELIVER) });
    for (const path of ["/tick", "/half", "/checkback", "/query"]) {
      assert.equal((await app.request(path, { method: "POST" })).status, 404, path);
    }
  });
});

describe("half messages of several participants", () => {
  beforeEach(() => open());
  afterEach(close);

  it("are not touched by who may only deliver", async () => {
    assert.deepEqual(await half(PAY, preparation("payment.made")), [200, "prepared"]);
    for (const operation of ["confirm", "cancel", "query"]) {
      assert.deepEqual(await half(DELIVER, about(operation, "payments")), [401, "unauthenticated"]);
    }
    assert.deepEqual(await half(DELIVER, preparation("payment.made", { id: "m-2" })), [
      401,
      "unauthenticated",
    ]);
    assert.deepEqual([await stateOf(), await stateOf("m-2")], ["prepared", undefined]);
  });

  it("are each participant's own", async () => {
    await half(PAY, preparation("payment.made"));
    for (const operation of ["confirm", "cancel", "query"]) {
      assert.deepEqual(await half(BILL, about(operation, "payments")), [403, "forbidden"]);
      // Under its own name they are not there for it.
      assert.deepEqual(await half(BILL, about(operation, "billing")), [404, "not_found"]);
    }
    const theirs = preparation("payment.made", { id: "m-2" });
    assert.deepEqual(await half(BILL, theirs), [403, "forbidden"]);
    assert.deepEqual([await stateOf(), await stateOf("m-2")], ["prepared", undefined]);
    assert.deepEqual(await half(PAY, about("confirm", "payments")), [200, "scheduled"]);
  });

  it("may be touched by our own services, which are one principal, if they say whose", async () => {
    await half(PAY, preparation("payment.made"));
    // Not as if it were gone: a service would forget the row of its fence.
    for (const operation of ["confirm", "cancel", "query"]) {
      assert.deepEqual(await half(OWN, about(operation, "billing")), [403, "forbidden"]);
    }
    assert.deepEqual(await half(OWN, about("query", "payments")), [200, "prepared"]);
    assert.deepEqual(await half(OWN, about("cancel", "payments")), [200, "cancelled"]);
  });

  it("do not include the bus's own", async () => {
    const message = testMessage({ headers: {}, sentAtMs: NOW_MS });
    await bus.halfMessages.prepare({ message, deadlineMs: null, retry: null });
    for (const key of [OWN, PAY]) {
      for (const operation of ["confirm", "cancel", "query"]) {
        assert.deepEqual(await half(key, about(operation, "payments")), [404, "not_found"]);
      }
    }
    assert.equal(await stateOf(), "prepared");
  });

  it("have only the names that are open to their participant", async () => {
    assert.deepEqual(await half(PAY, preparation("invoice.sent")), [403, "forbidden"]);
    assert.deepEqual(await half(OWN, preparation("invoice.sent")), [403, "forbidden"]);
    const stock = preparation("stock.moved", { participant: "stock" });
    assert.deepEqual(await half(OWN, stock), [403, "forbidden"]);
    assert.equal(await stateOf(), undefined);
    const invoice = preparation("invoice.sent", { participant: "billing" });
    assert.deepEqual(await half(BILL, invoice), [200, "prepared"]);
  });

  it("of one outside ask only for callbacks that are open to it, and for no destination", async () => {
    const refused: Record<string, string>[] = [
      { "cap-callback-name": "payment.refund" },
      { "atlast-failure-callback-name": "payment.refund" },
      { "atlast-destination": "https://elsewhere.example/" },
    ];
    for (const headers of refused) {
      const asked = preparation("payment.made", { headers });
      assert.deepEqual(await half(PAY, asked), [403, "forbidden"], JSON.stringify(headers));
    }
    assert.equal(await stateOf(), undefined);
    const open = preparation("payment.made", {
      headers: { "cap-callback-name": "payment.shipped" },
    });
    assert.deepEqual(await half(PAY, open), [200, "prepared"]);
    const own = preparation("payment.made", { id: "m-2", headers: refused[0]! });
    assert.deepEqual(await half(OWN, own), [200, "prepared"]);
  });

  it("say nothing of a message of someone else that has their id", async () => {
    await half(PAY, preparation("payment.made"));
    const url = `${server.origin}/half`;
    const body = preparation("invoice.sent", { participant: "billing" });
    const { status, text } = await askRoute(url, HALF_CONTENT_TYPE, body, [BILL]);
    assert.equal(status, 409);
    assert.ok(!text?.includes("payment"), text ?? "");
  });

  it("say nothing of what their receiver answered, or an operator wrote", async () => {
    await half(PAY, preparation("payment.made"));
    const record = await store.find("outbox", { id: "m-1", group: "" });
    assert.ok(record !== null);
    const { epoch, state, ...standing } = record;
    const patch = { ...standing, state, reason: "password=hunter2", note: "Ann: hunter2" };
    const key = { id: "m-1", group: "" };
    await store.settle("outbox", [{ key, epoch, from: state, guard: "anyone", patch }]);
    const { text } = await askRoute(
      `${server.origin}/half`,
      HALF_CONTENT_TYPE,
      about("query", "payments"),
      [PAY],
    );
    const { inReplyTo: _, ...said } = JSON.parse(text ?? "");
    assert.deepEqual(said, { id: "m-1", name: "payment.made", state: "prepared" });
  });
});

describe("half messages without a list of names", () => {
  beforeEach(() => open({ halfMessages: { verify: VERIFY, signingKeys: [OWN, PAY, BILL] } }));
  afterEach(close);

  it("are open to our own services, and to no one else", async () => {
    assert.deepEqual(await half(PAY, preparation("payment.made")), [403, "forbidden"]);
    assert.deepEqual(await half(OWN, preparation("payment.made")), [200, "prepared"]);
    // What our own service has prepared for it, it may decide.
    assert.deepEqual(await half(PAY, about("confirm", "payments")), [200, "scheduled"]);
  });

  it("are closed to a principal that is neither", async () => {
    for (const verify of [verifyBearer(TOKEN), () => ({ ok: true }) as const]) {
      await close();
      await open({ halfMessages: { verify, signingKeys: [OWN], names: ["#"] } });
      const headers = { "content-type": HALF_CONTENT_TYPE, authorization: `Bearer ${TOKEN}` };
      const body = preparation("payment.made");
      const response = await fetch(`${server.origin}/half`, { method: "POST", headers, body });
      assert.equal(response.status, 403);
      await response.body?.cancel();
      assert.equal(await stateOf(), undefined);
    }
  });

  it("are refused for a list that is none", () => {
    for (const names of [["a b"], { payments: ["a b"] }, { payments: "payment.*" }]) {
      const halves = { verify: VERIFY, signingKeys: [OWN], names: names as never };
      assert.throws(() => createApp(bus, { verify: VERIFY, halfMessages: halves }), /Cannot use/);
    }
  });
});

describe("a retry policy of another service", () => {
  beforeEach(() => open());
  afterEach(close);

  const refused: Readonly<Record<string, RetryPolicy>> = {
    "for ever without a pause": { kind: "fixed", delayMs: 0, maxAttempts: 9e15 },
    "too many attempts": { kind: "fixed", delayMs: 60_000, maxAttempts: 101 },
    "too short a delay": { kind: "fixed", delayMs: 999, maxAttempts: 7 },
    "too many attempts at once": { ...DEFAULT_RETRY, kind: "cap", immediateAttempts: 7 } as never,
    "a cap that makes it short": {
      kind: "exponential",
      baseMs: 10_000,
      capMs: 10,
      maxAttempts: 50,
    },
    "a list of nothing": { kind: "list", delaysMs: Array.from({ length: 6 }, () => 0) },
    "a long list": { kind: "list", delaysMs: Array.from({ length: 100 }, () => 60_000) },
  };
  for (const [title, retry] of Object.entries(refused)) {
    it(`with ${title} is refused, and nothing is kept`, async () => {
      const [status, code] = await half(PAY, preparation("payment.made", {}, retry));
      assert.deepEqual([status, code], [400, "malformed_message"]);
      assert.equal(await stateOf(), undefined);
    });
  }

  it("within the limits is kept", async () => {
    const policies: RetryPolicy[] = [
      DEFAULT_RETRY,
      NOTIFY_RETRY,
      { kind: "fixed", delayMs: 0, maxAttempts: 6 },
      { kind: "exponential", baseMs: 100, capMs: 60_000, jitter: 1, maxAttempts: 20 },
    ];
    for (const [i, retry] of policies.entries()) {
      const id = `m-${i}`;
      assert.deepEqual(await half(PAY, preparation("payment.made", { id }, retry)), [
        200,
        "prepared",
      ]);
      assert.deepEqual((await store.find("outbox", { id, group: "" }))?.retry, retry);
    }
  });
});

describe("a half message that is to wait", () => {
  beforeEach(() => open());
  afterEach(close);

  it("waits as long as CAP's time span says", async () => {
    const headers = { "cap-delaytime": "00:01:00" };
    await half(PAY, preparation("payment.made", { headers }));
    assert.deepEqual(await half(PAY, about("confirm", "payments")), [200, "scheduled"]);
    clock.advance(59_999);
    await bus.tick();
    assert.deepEqual(transport.ids, []);
    clock.advance(1);
    await bus.tick();
    assert.deepEqual(transport.ids, ["m-1"]);
  });

  it("is refused for a time that is none, wherever it is prepared", async () => {
    const headers = { "cap-delaytime": "soon" };
    const asked = preparation("payment.made", { headers });
    assert.deepEqual(await half(PAY, asked), [400, "invalid_header"]);
    await assert.rejects(bus.prepare(Paid, { n: 1 }, { headers }), { code: "invalid_header" });
    const client = createClient({
      url: `${server.origin}/half`,
      signingKeys: [PAY],
      participant: "payments",
      fence: memoryFence(),
    });
    await assert.rejects(client.prepare(Paid, { n: 1 }, { headers }), { code: "invalid_header" });
  });
});

describe("a check-back", () => {
  const fence = memoryFence();
  const question = {
    id: "m-1",
    name: "payment.made",
    epoch: 1,
    participant: "payments",
    preparedAtMs: NOW_MS,
    checkedAtMs: NOW_MS + 60_000,
  };

  async function statusOf(app: App, key: string): Promise<number> {
    const at = await serve(app.fetch);
    try {
      const url = `${at.origin}/checkback`;
      return (await askRoute(url, CHECKBACK_CONTENT_TYPE, questionText(question), [key])).status;
    } finally {
      await at.close();
    }
  }

  it("is the keeper's to make: who may deliver, or another participant, fences nothing off", async () => {
    const own = createBus({ store: memoryStore(), transport: new FakeTransport(), fence });
    const verify = verifyAny(
      signedBy(OWN, { name: "orders", kind: "keeper" }),
      signedBy(BILL, participant("billing")),
    );
    const checkBack = { verify, participant: "payments", signingKeys: [OWN] };
    const apps = [
      createApp(own, { verify: signedBy(DELIVER), checkBack }),
      createCheckBackApp(fence, checkBack),
    ];
    for (const app of apps) {
      assert.equal(await statusOf(app, DELIVER), 401);
      assert.equal(await statusOf(app, BILL), 403);
    }
    await fence.transaction((tx) => fence.commit("m-1", 1, tx));
    for (const app of apps) assert.equal(await statusOf(app, OWN), 200);
    await own.stop();
  });
});
