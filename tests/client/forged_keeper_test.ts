import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { verifySignature } from "../../adapters/http/mod.ts";
import { memoryFence, type MemoryFenceTransaction } from "../../adapters/memory/mod.ts";
import { type ClientOptions, createClient, type Fetch } from "../../client/mod.ts";
import { FENCE_RETENTION_MS } from "../../bus/half/prune_fence.ts";
import { replyReference, withField } from "../../http/signature_id.ts";
import { Signer } from "../../http/signature.ts";
import { HALF_CONTENT_TYPE } from "../../core/wire/wire.ts";
import { verifyAny } from "../../edge/mod.ts";
import type { AtlastError } from "../../mod.ts";
import { Paid } from "../support/half_world.ts";
import { fetchFrom, KEY, signingKey } from "../support/http.ts";
import {
  type Keeper,
  keeperOf,
  type Participant,
  SIDE,
  startParticipant,
} from "../support/half_http.ts";

const OTHER_KEY = signingKey("o");
const ONCE = { kind: "fixed", delayMs: 0, maxAttempts: 1 } as const;

let side: Participant;
let keeper: Keeper;

function client(options: Partial<ClientOptions<MemoryFenceTransaction>> = {}) {
  return createClient({
    url: keeper.url,
    signingKeys: [KEY],
    participant: SIDE,
    fence: side.fence,
    retry: ONCE,
    ...options,
  });
}

interface Said {
  readonly id?: string;
  readonly message?: { readonly headers: Record<string, string> };
}

/** How a forged answer is made. */
interface Forgery {
  /** What it says in `inReplyTo`: by default what a true keeper says. */
  readonly reference?: (headers: Headers, asked: string) => Promise<string>;
  /** The signature; by default with the true key. */
  readonly sign?: (body: Uint8Array, requestId: string) => Promise<Record<string, string>>;
}

/** A keeper that says what it likes of the message, and keeps nothing. */
function forger(
  says: (id: string) => { readonly status?: number; readonly body: unknown },
  { reference = replyReference, sign }: Forgery = { sign: () => Promise.resolve({}) },
): Fetch {
  return fetchFrom(async (request) => {
    const text = await request.text();
    const asked = JSON.parse(text) as Said;
    const { status = 200, body } = says(asked.id ?? asked.message?.headers["cap-msg-id"] ?? "");
    const inReplyTo = await reference(request.headers, text);
    const bytes = new TextEncoder().encode(
      withField(JSON.stringify(body), "inReplyTo", inReplyTo),
    );
    const requestId = request.headers.get("webhook-id") ?? "";
    const signed = await (sign ?? ((body) => own.headersFor("any", body)))(bytes, requestId);
    return new Response(bytes, {
      status,
      headers: { ...signed, "content-type": HALF_CONTENT_TYPE },
    });
  });
}

const own = new Signer([KEY]);
const statusIn = (state: string) => (id: string) => ({ body: { id, name: Paid.name, state } });
const refusing = (code: string, status: number) => () => ({
  status,
  body: { error: { code, message: "x" } },
});

describe("a forged keeper", () => {
  beforeEach(async () => {
    side = await startParticipant();
    keeper = await keeperOf(side.url);
  });
  afterEach(async () => {
    await keeper.close();
    await side.close();
  });

  const other = new Signer([OTHER_KEY]);
  const forgeries: [string, Forgery][] = [
    ["that does not sign", { sign: () => Promise.resolve({}) }],
    ["with another key", { sign: (body) => other.headersFor("any", body) }],
    [
      "that answers another request",
      { reference: (_, asked) => replyReference(new Headers({ "webhook-id": "msg_1" }), asked) },
    ],
    ["that answers another question", { reference: (headers) => replyReference(headers, "{}") }],
    ["that answers no request", { reference: () => Promise.resolve("") }],
    // Under such an id a body is a user's.
    ["that signs the body of a message", { sign: (body) => own.headersFor("atlast_msg_1", body) }],
    ["that signs another body", { sign: () => own.headersFor("any", new Uint8Array([1])) }],
    [
      "that signed long ago",
      {
        sign: (body) =>
          new Signer([KEY], { now: () => Date.now() - 301_000 }).headersFor("any", body),
      },
    ],
  ];
  for (const [title, forgery] of forgeries) {
    it(`${title} cannot have an operation begin`, async () => {
      let runs = 0;
      const work = () => Promise.resolve(++runs);
      const fetch = forger(statusIn("prepared"), forgery);
      await assert.rejects(client({ fetch }).transact(Paid, { n: 1 }, work), (
        error: AtlastError,
      ) => {
        assert.equal(error.code, "unreachable");
        return /answered (without a valid signature|another request)/.test(error.message);
      });
      assert.equal(runs, 0);
    });

    it(`${title} cannot say that an outcome is settled, or contradicted`, async () => {
      for (const says of [statusIn("succeeded"), refusing("wrong_state", 409)]) {
        const forged = forger(says, forgery);
        const half = await client({
          fetch: (url, init) => (isPrepare(init) ? fetch : forged)(url, init),
        }).prepare(Paid, { n: 1 });
        await side.fence.transaction((tx) => half.fence(tx));
        const end = await half.confirm();
        assert.ok(end.outcome === "committed");
        assert.deepEqual([end.settled, end.contradicted], [false, undefined]);
        // And so it is: check-back makes up for it.
        keeper.clock.advance(10_000);
        await keeper.bus.tick();
        assert.ok(keeper.transport.ids.includes(half.id));
      }
    });
  }

  it("cannot have a fence forget what it still needs", async () => {
    let atMs = Date.now() - 2 * FENCE_RETENTION_MS;
    const fence = memoryFence(() => atMs);
    await fence.transaction((tx) => fence.commit("m-1", atMs, tx));
    atMs = Date.now();
    for (const says of [refusing("not_found", 404), statusIn("succeeded")]) {
      await assert.rejects(client({ fence, fetch: forger(says) }).prune(), { code: "unreachable" });
    }
    assert.equal((await fence.writtenBefore(Infinity, null, 10)).length, 1);
    // The true keeper says so too, and is believed.
    assert.equal(await client({ fence }).prune(), 1);
  });

  it("cannot be taken for the true one by a token alone, but by HTTPS", () => {
    const parts = { participant: SIDE, fence: side.fence, token: "0123456789abcdef" };
    for (const url of ["http://bus.example/half", "http://127.0.0.1.example/half"]) {
      assert.throws(() => createClient({ ...parts, url }), { code: "invalid_option" });
      createClient({ ...parts, url, answerKeys: [KEY] });
    }
    for (const url of ["https://bus.example/half", "http://127.0.0.1:1/half"]) {
      createClient({ ...parts, url });
    }
  });
});

describe("another participant", () => {
  const [PAY, BILL] = [signingKey("p"), signingKey("b")];
  const participant = (name: string, key: string) =>
    verifySignature({ signingKeys: [key], principal: { name, kind: "participant" } });

  beforeEach(async () => {
    side = await startParticipant();
    const verify = verifyAny(participant(SIDE, PAY), participant("billing", BILL));
    const signingKeys = [PAY, BILL];
    keeper = await keeperOf(side.url, {
      app: { halfMessages: { verify, signingKeys, names: ["#"] } },
    });
  });
  afterEach(async () => {
    await keeper.close();
    await side.close();
  });

  /** Keeps a request back, asks something else under its id with a key of its own, and passes that answer on. */
  const swapped: Fetch = async (url, init) => {
    const requestId = new Headers(init.headers).get("webhook-id") ?? "";
    const { id } = JSON.parse(new TextDecoder().decode(init.body as Uint8Array)) as Said;
    const text = JSON.stringify({
      audience: "half",
      operation: "query",
      id,
      participant: "billing",
    });
    const body = new TextEncoder().encode(text);
    const headers = await new Signer([BILL]).headersFor(requestId, body);
    return await fetch(url, {
      method: "POST",
      body,
      headers: { ...headers, "content-type": HALF_CONTENT_TYPE },
    });
  };

  it("cannot pass off what the keeper answers it as the answer to someone else", async () => {
    let isCaught = false;
    const half = await client({
      signingKeys: [PAY],
      fetch: (url, init) => isCaught ? swapped(url, init) : fetch(url, init),
    }).prepare(Paid, { n: 1 });
    await side.fence.transaction((tx) => half.fence(tx));
    isCaught = true;
    const end = await half.confirm();
    assert.ok(end.outcome === "committed");
    assert.deepEqual([end.settled, end.contradicted], [false, undefined]);
  });

  it("cannot have a fence forget what it still needs", async () => {
    const atMs = Date.now() - 2 * FENCE_RETENTION_MS;
    const fence = memoryFence(() => atMs);
    await fence.transaction((tx) => fence.commit("m-1", atMs, tx));
    await assert.rejects(client({ fence, signingKeys: [PAY], fetch: swapped }).prune(), {
      code: "unreachable",
    });
    assert.equal((await fence.writtenBefore(Infinity, null, 10)).length, 1);
  });
});

describe("a true keeper", () => {
  beforeEach(async () => {
    side = await startParticipant();
    keeper = await keeperOf(side.url);
  });
  afterEach(async () => {
    await keeper.close();
    await side.close();
  });

  it("that cancelled before, says so, and no check-back is promised", async () => {
    const half = await client().prepare(Paid, { n: 1 });
    keeper.clock.advance(10_000);
    await keeper.bus.tick();
    assert.equal((await client().query(half.id))?.state, "cancelled");
    // The operation ran without its fence.
    const end = await half.confirm();
    assert.ok(end.outcome === "committed");
    assert.deepEqual([end.settled, end.contradicted], [true, true]);
    assert.equal((end.error as AtlastError).code, "wrong_state");
    const told = keeper.observed.all("contradicted", { id: half.id, outcome: "committed" });
    assert.deepEqual(told.map(({ state, forced }) => [state, forced]), [["cancelled", false]]);
  });

  it("is believed while keys are rotated, by whichever of them signed", async () => {
    await keeper.close();
    keeper = await keeperOf(side.url, {
      app: {
        halfMessages: {
          verify: () => ({ ok: true, principal: { name: "services", kind: "service" } }),
          signingKeys: [OTHER_KEY, KEY],
        },
      },
    });
    for (const signingKeys of [[KEY], [OTHER_KEY], [KEY, OTHER_KEY]]) {
      const half = await client({ signingKeys }).prepare(Paid, { n: 1 });
      assert.equal(half.state, "prepared");
    }
  });
});

function isPrepare(init: RequestInit | undefined): boolean {
  return new TextDecoder().decode(init?.body as Uint8Array).includes(`"operation":"prepare"`);
}
