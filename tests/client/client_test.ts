import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import * as z from "zod";
import { memoryFence, type MemoryFenceTransaction } from "../../adapters/memory/mod.ts";
import { CLIENT_RETRY, type ClientOptions, createClient, type Fetch } from "../../client/mod.ts";
import { FENCE_RETENTION_MS } from "../../bus/half/prune_fence.ts";
import { replyReference, withField } from "../../http/signature_id.ts";
import { Signer } from "../../http/signature.ts";
import { maxAttempts } from "../../core/lifecycle/retry.ts";
import { HALF_CONTENT_TYPE } from "../../core/wire/wire.ts";
import { verifyBearer } from "../../edge/mod.ts";
import { type AtlastError, defineMessage } from "../../mod.ts";
import type { Fence } from "../../ports.ts";
import { type Fault, faultyFetch } from "../support/faulty_fetch.ts";
import { fetchFrom, KEY, signingKey } from "../support/http.ts";
import {
  type Keeper,
  keeperOf,
  type Participant,
  SIDE,
  startParticipant,
} from "../support/half_http.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { serve, serveRaw } from "../support/serve.ts";

const Paid = defineMessage("payment.made", { body: z.object({ n: z.number() }) });
const TOKEN = "0123456789abcdef";
/** Lets in the participant by a token. */
const TOKEN_HALVES = {
  verify: verifyBearer(TOKEN, { name: SIDE, kind: "participant" }),
  signingKeys: [KEY],
  names: ["#"],
};
/** Repeats at once, as often as the client does by itself. */
const AT_ONCE = { kind: "fixed", delayMs: 0, maxAttempts: maxAttempts(CLIENT_RETRY) } as const;

const ONCE = { ...AT_ONCE, maxAttempts: 1 } as const;

let side: Participant;
let keeper: Keeper;

function client(options: Partial<ClientOptions<MemoryFenceTransaction>> = {}) {
  return createClient({
    url: keeper.url,
    signingKeys: [KEY],
    participant: SIDE,
    fence: side.fence,
    retry: AT_ONCE,
    ...options,
  });
}

/** A page of someone who is no keeper. */
function page(status: number, headers: Record<string, string> = {}): Response {
  return new Response("<h1>hello</h1>", { status, headers });
}

function recordOf(id: string) {
  return keeper.store.find("outbox", { id, group: "" });
}

describe("a client", () => {
  beforeEach(async () => {
    side = await startParticipant();
    keeper = await keeperOf(side.url);
  });
  afterEach(async () => {
    await keeper.close();
    await side.close();
  });

  it("runs the operation behind the fence, and has the message sent", async () => {
    const written: string[] = [];
    const end = await client().transact(Paid, { n: 1 }, (tx) => {
      written.push("payment");
      tx.onRollback(() => written.pop());
      return Promise.resolve("result");
    }, { headers: { "cap-x": "1" } });
    assert.ok(end.outcome === "committed");
    assert.deepEqual([end.settled, end.result, written], [true, "result", ["payment"]]);
    await keeper.bus.tick();
    const [sent] = keeper.transport.messages;
    assert.deepEqual([sent?.id, sent?.name, sent?.body], [end.id, Paid.name, `{"n":1}`]);
    assert.deepEqual([sent?.headers["cap-x"], sent?.headers["atlast-participant"]], ["1", SIDE]);
    assert.equal((await client().query(end.id))?.state, "succeeded");
  });

  it("has the message cancelled when the operation throws", async () => {
    const thrown = new Error("no funds");
    const end = await client().transact(Paid, { n: 1 }, () => Promise.reject(thrown));
    assert.deepEqual(end, { outcome: "aborted", id: end.id, settled: true, error: thrown });
    await keeper.bus.tick();
    assert.deepEqual(keeper.transport.ids, []);
    assert.equal((await client().query(end.id))?.state, "cancelled");
  });

  it("goes step by step", async () => {
    const half = await client().prepare(Paid, { n: 1 }, { id: "payment-1", delayMs: 5_000 });
    assert.deepEqual([half.id, half.state], ["payment-1", "prepared"]);
    await side.fence.transaction((tx) => half.fence(tx));
    assert.equal((await half.confirm()).outcome, "committed");
    await keeper.bus.tick();
    assert.deepEqual(keeper.transport.ids, []);
    keeper.clock.advance(5_000);
    await keeper.bus.tick();
    assert.deepEqual(keeper.transport.ids, ["payment-1"]);
  });

  it("checks a body against its contract before it asks anything", async () => {
    const { fetch, operations } = faultyFetch([]);
    const wrong = { n: "1" } as unknown as { n: number };
    await assert.rejects(client({ fetch }).prepare(Paid, wrong), { code: "invalid_body" });
    await assert.rejects(client({ fetch }).prepare(Paid, { n: 1 }, { id: "" }), {
      code: "invalid_id",
    });
    await assert.rejects(client({ fetch }).prepare(Paid, { n: 1 }, { deadlineMs: -1 }), {
      code: "invalid_option",
    });
    assert.deepEqual(operations, []);
  });

  it("does nothing twice for an id that was transacted before", async () => {
    let runs = 0;
    const work = () => Promise.resolve(++runs);
    const first = await client().transact(Paid, { n: 1 }, work, { id: "payment-1" });
    const second = await client().transact(Paid, { n: 1 }, work, { id: "payment-1" });
    assert.deepEqual([first.outcome, second.outcome, runs], ["committed", "committed", 1]);
    await assert.rejects(client().transact(Paid, { n: 2 }, work, { id: "payment-1" }), {
      code: "id_conflict",
    });
    assert.equal(runs, 1);
  });

  it("asks with a token where the keeper takes one", async () => {
    await keeper.close();
    keeper = await keeperOf(side.url, { app: { halfMessages: TOKEN_HALVES } });
    const { url } = keeper;
    const withToken = createClient({ url, token: TOKEN, participant: SIDE, fence: side.fence });
    const end = await withToken.transact(Paid, { n: 1 }, () => Promise.resolve());
    assert.equal(end.outcome, "committed");
    await assert.rejects(client().prepare(Paid, { n: 1 }), { code: "unauthenticated" });
  });

  it("tells a message that is not there from a keeper that is not", async () => {
    assert.equal(await client().query("nothing"), null);
    const elsewhere = client({ url: `${keeper.server.origin}/other` });
    await assert.rejects(elsewhere.query("nothing"), { code: "unreachable" });
  });
});

describe("a request that is lost", () => {
  beforeEach(async () => {
    side = await startParticipant();
    keeper = await keeperOf(side.url);
  });
  afterEach(async () => {
    await keeper.close();
    await side.close();
  });

  const lost: readonly Fault[] = ["request_lost", "answer_lost"];
  for (const fault of lost) {
    it(`is repeated with the same id, and has its effect once (${fault})`, async () => {
      const { fetch, operations, ids } = faultyFetch([fault, fault, "none", fault, fault]);
      let runs = 0;
      const end = await client({ fetch }).transact(Paid, { n: 1 }, () => Promise.resolve(++runs));
      assert.ok(end.outcome === "committed");
      assert.deepEqual([end.settled, runs], [true, 1]);
      assert.deepEqual(operations, [
        ...["prepare", "prepare", "prepare"],
        ...["confirm", "confirm", "confirm"],
      ]);
      assert.deepEqual([...new Set(ids)], [end.id]);
      await keeper.bus.tick();
      assert.deepEqual(keeper.transport.ids, [end.id]);
    });

    it(`each time, keeps the operation from beginning (${fault})`, async () => {
      const { fetch, operations, ids } = faultyFetch(() => fault);
      let runs = 0;
      const transacting = client({ fetch }).transact(Paid, { n: 1 }, () => Promise.resolve(++runs));
      await assert.rejects(transacting, { code: "unreachable" });
      assert.deepEqual([operations.length, runs], [6, 0]);
      const record = await recordOf(ids[0]!);
      assert.equal(record?.state, fault === "answer_lost" ? "prepared" : undefined);
      // What was stored all the same is cancelled by the fence.
      keeper.clock.advance(10_000);
      await keeper.bus.tick();
      assert.equal((await recordOf(ids[0]!))?.state, record === null ? undefined : "cancelled");
    });

    it(`each time after the commit, throws nothing, and is healed (${fault})`, async () => {
      const { fetch } = faultyFetch((operation) => operation === "confirm" ? fault : "none");
      const end = await client({ fetch }).transact(Paid, { n: 1 }, () => Promise.resolve(7));
      assert.ok(end.outcome === "committed");
      assert.deepEqual([end.settled, end.result], [false, 7]);
      assert.equal((end.error as AtlastError).code, "unreachable");
      keeper.clock.advance(10_000);
      await keeper.bus.tick();
      assert.deepEqual(keeper.transport.ids, [end.id]);
    });

    it(`each time after a rollback, throws nothing, and is healed (${fault})`, async () => {
      const { fetch } = faultyFetch((operation) => operation === "cancel" ? fault : "none");
      const thrown = new Error("no funds");
      const end = await client({ fetch }).transact(Paid, { n: 1 }, () => Promise.reject(thrown));
      assert.ok(end.outcome === "aborted");
      assert.deepEqual([end.settled, end.error], [false, thrown]);
      keeper.clock.advance(10_000);
      await keeper.bus.tick();
      assert.equal((await recordOf(end.id))?.state, "cancelled");
    });
  }

  it("to 5xx or 429 is repeated, however it is answered", async () => {
    const { fetch, operations } = faultyFetch([page(500), page(503), page(429), page(502)]);
    await client({ fetch }).prepare(Paid, { n: 1 });
    assert.deepEqual(operations, Array.from({ length: 5 }, () => "prepare"));
  });

  it("to a server that goes away and comes back, on a new connection", async () => {
    const url = keeper.url;
    let cut = true;
    const proxy = await serveRaw(async (incoming, outgoing) => {
      if (cut) {
        cut = false;
        return void incoming.socket.destroy();
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const body = new Blob(chunks as BlobPart[]);
      const headers = new Headers(incoming.headers as Record<string, string>);
      const response = await fetch(url, { method: "POST", headers, body });
      const names = ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature"];
      const kept = names.map((name) => [name, response.headers.get(name) ?? ""]);
      outgoing.writeHead(response.status, Object.fromEntries(kept));
      outgoing.end(await response.text());
    });
    try {
      const half = await client({ url: `${proxy.origin}/half` }).prepare(Paid, { n: 1 });
      assert.equal(half.state, "prepared");
    } finally {
      await proxy.close();
    }
  });
});

describe("a refusal", () => {
  beforeEach(async () => {
    side = await startParticipant();
    keeper = await keeperOf(side.url);
  });
  afterEach(async () => {
    await keeper.close();
    await side.close();
  });

  it("is never repeated, and says what it is", async () => {
    const cases: [Partial<ClientOptions<MemoryFenceTransaction>>, string][] = [
      [{ participant: "nobody" }, "no_route"],
      [{ signingKeys: [signingKey("o")] }, "unauthenticated"],
      [{ url: `${keeper.server.origin}/other` }, "unreachable"],
      [{ url: `${keeper.server.origin}/deliver` }, "unauthenticated"],
    ];
    for (const [options, code] of cases) {
      const { fetch, operations } = faultyFetch([]);
      const refused = client({ ...options, fetch }).prepare(Paid, { n: 1 });
      await assert.rejects(refused, (error: Error & { code?: string }) => {
        assert.equal(error.code, code);
        assert.match(error.message, /127\.0\.0\.1:\d+/);
        return true;
      });
      assert.equal(operations.length, 1);
    }
  });

  it("of who knows nothing of half messages is none of a keeper's", async () => {
    const strangers: [Response, string][] = [
      [page(200), "unreachable"],
      [new Response(null, { status: 204 }), "unreachable"],
      [page(302, { location: "/" }), "unreachable"],
      [page(400), "unreachable"],
      [page(401), "unauthenticated"],
      [page(403), "forbidden"],
      [page(404), "unreachable"],
      [page(409), "unreachable"],
      [Response.json({ id: "m-1", name: "payment.made", state: "prepared" }), "unreachable"],
      [
        Response.json({ error: { code: "not_found", message: "x" } }, { status: 404 }),
        "unreachable",
      ],
    ];
    for (const [response, code] of strangers) {
      const { fetch, operations } = faultyFetch([response]);
      const prepared = client({ fetch }).prepare(Paid, { n: 1 }, { id: "m-1" });
      await assert.rejects(prepared, { code });
      assert.equal(operations.length, 1);
      await assert.rejects(client({ fetch: faultyFetch([response]).fetch }).query("m-1"), { code });
    }
  });

  it("is any answer that is of the right type and says something else", async () => {
    const status = { id: "m-1", name: "payment.made", state: "prepared" };
    const signer = new Signer([KEY]);
    const wrong = ["", "[]", { ...status, id: "m-2" }, { ...status, state: "stored" }, {
      id: "m-1",
    }];
    for (const body of wrong) {
      const fetch = fetchFrom(async (request) => {
        const reference = await replyReference(request.headers, await request.text());
        const text = typeof body === "string" ? body : JSON.stringify(body);
        const bytes = new TextEncoder().encode(withField(text, "inReplyTo", reference));
        const signed = await signer.headersFor("any", bytes);
        return new Response(bytes, { headers: { ...signed, "content-type": HALF_CONTENT_TYPE } });
      });
      const prepared = client({ fetch }).prepare(Paid, { n: 1 }, { id: "m-1" });
      await assert.rejects(prepared, {
        code: "unreachable",
        message: /answered (200, want|another request)/,
      });
    }
  });
});

describe("the time of a call", () => {
  beforeEach(async () => {
    side = await startParticipant();
    keeper = await keeperOf(side.url);
  });
  afterEach(async () => {
    await keeper.close();
    await side.close();
  });

  /** A client whose waits a test ends, and whose requests are answered so. */
  function waiting(
    faults: readonly Fault[] | (() => Fault),
    options: { readonly timeLimitMs?: number } = {},
  ) {
    const clock = new ManualClock();
    const faulty = faultyFetch(faults);
    const made = createClient({
      url: keeper.url,
      token: TOKEN,
      participant: SIDE,
      fence: side.fence,
      fetch: faulty.fetch,
      clock,
      random: () => 0,
      ...options,
    });
    return { clock, operations: faulty.operations, made };
  }

  it("grows from one repetition to the next", async () => {
    const { clock, operations, made } = waiting(() => page(500));
    const querying = made.query("m-1");
    querying.catch(() => {});
    for (const delayMs of [100, 200, 400, 800, 1600]) {
      await clock.awaits(delayMs);
      clock.advance(delayMs);
    }
    await assert.rejects(querying, { code: "unreachable" });
    assert.equal(operations.length, 6);
    assert.equal(clock.waiting, 0);
  });

  it("honours Retry-After", async () => {
    const { clock, operations, made } = waiting([
      page(429, { "retry-after": "3" }),
      page(400),
    ]);
    const querying = made.query("m-1");
    querying.catch(() => {});
    await clock.awaits(3_000);
    clock.advance(3_000);
    await assert.rejects(querying, { code: "unreachable" });
    assert.equal(operations.length, 2);
  });

  it("has a limit, which no wait outlasts", async () => {
    const later = waiting(() => page(503, { "retry-after": "15" }));
    await assert.rejects(later.made.query("m-1"), { code: "unreachable" });
    assert.equal(later.operations.length, 1);
    const short = waiting(() => page(503), { timeLimitMs: 250 });
    const querying = short.made.query("m-1");
    querying.catch(() => {});
    await short.clock.awaits(100);
    short.clock.advance(100);
    await assert.rejects(querying, { code: "unreachable" });
    assert.equal(short.operations.length, 2);
  });

  it("ends a request that is not answered", async () => {
    const silence: (() => void)[] = [];
    const server = await serveRaw((_, outgoing) => void silence.push(() => outgoing.end()));
    try {
      const silent = client({
        url: server.origin,
        timeoutMs: 20,
        retry: { ...AT_ONCE, maxAttempts: 2 },
      });
      await assert.rejects(silent.query("m-1"), /did not answer in time/);
      assert.equal(silence.length, 2);
    } finally {
      for (const end of silence) end();
      await server.close();
    }
  });

  it("is short where nothing listens", async () => {
    const gone = await serve(() => new Response());
    await gone.close();
    const nowhere = client({ url: gone.origin });
    await assert.rejects(nowhere.query("m-1"), { code: "unreachable" });
  });
});

describe("pruning the fence", () => {
  let atMs = 0;
  let fence: Fence<MemoryFenceTransaction>;
  beforeEach(async () => {
    atMs = 0;
    fence = memoryFence(() => atMs);
    side = await startParticipant(fence);
    // Signatures want the real time; a token does not.
    keeper = await keeperOf(side.url, { app: { halfMessages: TOKEN_HALVES } });
  });
  afterEach(async () => {
    await keeper.close();
    await side.close();
  });

  function pruning(clock: ManualClock, options: { readonly fetch?: Fetch } = {}) {
    const { url } = keeper;
    return createClient({
      url,
      token: TOKEN,
      participant: SIDE,
      fence,
      clock,
      retry: ONCE,
      ...options,
    });
  }

  async function ids(): Promise<string[]> {
    return (await fence.writtenBefore(Infinity, null, 1_000)).map(({ id }) => id).sort();
  }

  it("forgets what is decided or gone, and keeps what is not or is young", async () => {
    const clock = new ManualClock();
    const made = pruning(clock);
    for (const id of ["decided", "undecided", "gone", "young"]) {
      if (id === "young") clock.advance(FENCE_RETENTION_MS);
      if (id === "gone") await fence.transaction((tx) => fence.commit(id, clock.now(), tx));
      else {
        const half = await made.prepare(Paid, { n: 1 }, { id });
        await fence.transaction((tx) => half.fence(tx));
        if (id !== "undecided") await half.confirm();
      }
    }
    assert.equal(await made.prune(), 0);
    clock.advance(1);
    assert.equal(await made.prune(), 2);
    assert.deepEqual(await ids(), ["undecided", "young"]);
  });

  it("forgets nothing while the keeper does not answer, or a page does", async () => {
    const clock = new ManualClock();
    await fence.transaction((tx) => fence.commit("m-1", clock.now() - 2 * FENCE_RETENTION_MS, tx));
    for (const response of [page(404), page(200), page(500)]) {
      const { fetch } = faultyFetch(() => response);
      await assert.rejects(
        pruning(clock, { fetch }).prune(),
        {
          code: "unreachable",
        },
      );
    }
    assert.deepEqual(await ids(), ["m-1"]);
  });

  it("goes through all of many rows", async () => {
    const clock = new ManualClock();
    for (let i = 0; i < 120; i++) await fence.transaction((tx) => fence.commit(`m-${i}`, i, tx));
    assert.equal(await pruning(clock).prune(), 120);
    assert.deepEqual(await ids(), []);
  });
});

describe("the options of a client", () => {
  it("are checked when it is made, and no secret is shown", () => {
    const good = {
      url: "https://x/half",
      participant: SIDE,
      fence: memoryFence(),
      signingKeys: [KEY],
    };
    createClient(good);
    const bad: object[] = [
      { url: "/half" },
      { url: "ftp://x/" },
      { url: "https://user:secret@x/" },
      { participant: "" },
      { participant: undefined },
      { fence: undefined },
      { signingKeys: [] },
      { signingKeys: undefined },
      { token: "secret-token" },
      { signingKeys: undefined, token: "secret token" },
      { signingKeys: undefined, token: "" },
      { retry: { kind: "never" } },
      { timeoutMs: 0 },
      { timeLimitMs: NaN },
    ];
    for (const changed of bad) {
      const make = () => createClient({ ...good, ...changed } as typeof good);
      assert.throws(make, (error: Error & { code?: string }) => {
        assert.equal(error.code, "invalid_option", JSON.stringify(changed));
        return !/secret|a2tra2/.test(error.message);
      });
    }
  });
});
