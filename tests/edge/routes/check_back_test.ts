import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { httpCheckBack, type HttpCheckBackOptions } from "../../../adapters/http/mod.ts";
import { memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { answerText, readQuestion } from "../../../core/wire/check_back.ts";
import { replyReference, withField } from "../../../http/signature_id.ts";
import { Signer } from "../../../http/signature.ts";
import type { CheckAnswer } from "../../../core/lifecycle/check_back.ts";
import type { CheckQuestion } from "../../../core/ports/fence.ts";
import { CHECKBACK_CONTENT_TYPE } from "../../../core/wire/wire.ts";
import { createApp, createCheckBackApp } from "../../../edge/mod.ts";
import { createBus } from "../../../mod.ts";
import { FakeReceiver } from "../../support/fake_receiver.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { fetchFrom, KEY, signingKey } from "../../support/http.ts";
import { askRoute, SIDE, silent, startParticipant, verify } from "../../support/half_http.ts";
import { serve, serveRaw, type TestServer } from "../../support/serve.ts";

const OTHER_KEY = signingKey("o");
const NEW_KEY = signingKey("n");
const QUESTION: Required<CheckQuestion> = {
  id: "m-1",
  name: "payment.made",
  epoch: 3,
  participant: SIDE,
  preparedAtMs: 1_764_000_000_000,
  checkedAtMs: 1_764_000_010_000,
};

/** Asks a check-back at `url`, or through a fetch of its own. */
function ask(
  url: string,
  options: Partial<HttpCheckBackOptions> = {},
  question: CheckQuestion = QUESTION,
): Promise<CheckAnswer> {
  return httpCheckBack({ url, signingKeys: [KEY], ...options })
    .check(question, new AbortController().signal);
}

describe("a check-back over HTTP", () => {
  const fence = memoryFence();
  let url = "";
  let close: () => Promise<void>;
  before(async () => ({ url, close } = await startParticipant(fence)));
  after(() => close());

  it("gets what the fence says", async () => {
    await fence.transaction((tx) => fence.commit("done", 1, tx));
    assert.equal(await ask(url, {}, { ...QUESTION, id: "done" }), "committed");
    assert.equal(await ask(url, {}, { ...QUESTION, id: "never" }), "aborted");
    await assert.rejects(
      fence.transaction((tx) => fence.commit("never", 1, tx)),
      { code: "fenced_off" },
    );
  });

  it("gets unknown while the operation runs", async () => {
    await fence.transaction(async (tx) => {
      await fence.commit("open", 1, tx);
      assert.equal(await ask(url, {}, { ...QUESTION, id: "open" }), "unknown");
    });
    assert.equal(await ask(url, {}, { ...QUESTION, id: "open" }), "committed");
  });

  it("carries ids of every kind", async () => {
    for (const id of ["a b", `it's "a" \\ b`, "日本語 👍", "x".repeat(200)]) {
      assert.equal(await ask(url, {}, { ...QUESTION, id }), "aborted");
    }
  });

  it("holds while keys are rotated", async () => {
    for (const signingKeys of [[NEW_KEY, KEY], [KEY, OTHER_KEY]]) {
      assert.equal(await ask(url, { signingKeys }, { ...QUESTION, id: "rotated" }), "aborted");
    }
    const rotating = createCheckBackApp(fence, {
      participant: SIDE,
      signingKeys: [NEW_KEY, KEY],
      verify,
    });
    const fetch = fetchFrom(rotating.fetch);
    assert.equal(await ask("http://x/checkback", { fetch }), "aborted");
  });

  it("for another participant is refused, and the fence stays as it is", async () => {
    for (const side of ["orders", "", undefined]) {
      const { participant: _, ...rest } = QUESTION;
      const question = { ...rest, id: "theirs", ...(side === undefined ? {} : { side }) };
      await assert.rejects(ask(url, {}, question), { code: "forbidden" });
    }
    await fence.transaction((tx) => fence.commit("theirs", 1, tx));
  });

  it("with a wrong key is refused, and the fence stays as it is", async () => {
    const question = { ...QUESTION, id: "forged" };
    await assert.rejects(ask(url, { signingKeys: [OTHER_KEY] }, question), {
      code: "unauthenticated",
    });
    await fence.transaction((tx) => fence.commit("forged", 1, tx));
  });
});

describe("an answer that is not one", () => {
  /** An answer as it should be, but for what a case changes. */
  async function answerTo(request: Request, change: {
    readonly body?: (question: Required<CheckQuestion>) => string;
    readonly webhookId?: (requestId: string) => string;
    /** What it says in `inReplyTo`. */
    readonly reference?: (request: Request, asked: string) => string | Promise<string>;
    readonly key?: string;
    readonly type?: string;
    readonly status?: number;
    readonly nowMs?: number;
  } = {}): Promise<Response> {
    const asked = await request.text();
    const question = readQuestion(asked);
    const requestId = request.headers.get("webhook-id")!;
    const text = (change.body ?? ((question) => answerText(question, "committed")))(question);
    const ofRequest = ({ headers }: Request, asked: string) => replyReference(headers, asked);
    const reference = await (change.reference ?? ofRequest)(request, asked);
    const body = new TextEncoder().encode(withField(text, "inReplyTo", reference));
    const signer = new Signer([change.key ?? KEY], { now: () => change.nowMs ?? Date.now() });
    const id = (change.webhookId ?? (() => "any"))(requestId);
    const headers = await signer.headersFor(id, body);
    return new Response(body, {
      status: change.status ?? 200,
      headers: { ...headers, "content-type": change.type ?? CHECKBACK_CONTENT_TYPE },
    });
  }
  const json = (value: unknown) => () => JSON.stringify(value);
  const said = { id: "m-1", epoch: 3, answer: "committed" };

  const unusable: [string, (request: Request) => Response | Promise<Response>][] = [
    ["a plain 200", () => new Response("OK")],
    ["nothing", () => new Response(null, { status: 204 })],
    [
      "an empty body",
      () => new Response("", { headers: { "content-type": CHECKBACK_CONTENT_TYPE } }),
    ],
    [
      "HTML",
      () => new Response("<h1>committed</h1>", { headers: { "content-type": "text/html" } }),
    ],
    ["a redirect", () => new Response(null, { status: 307, headers: { location: "/checkback" } })],
    ["JSON of no type", () => Response.json(said)],
    [
      "the right words, unsigned",
      () => Response.json(said, { headers: { "content-type": CHECKBACK_CONTENT_TYPE } }),
    ],
    ["another content type", (request) => answerTo(request, { type: "application/json" })],
    ["another status", (request) => answerTo(request, { status: 201 })],
    ["a refusal of the question", (request) => answerTo(request, { status: 400 })],
    ["another key", (request) => answerTo(request, { key: OTHER_KEY })],
    ["an old answer", (request) => answerTo(request, { nowMs: Date.now() - 301_000 })],
    [
      "an answer to another request",
      (request) => answerTo(request, { reference: () => "0".repeat(64) }),
    ],
    [
      "an answer to another question under the request's id",
      (request) => answerTo(request, { reference: ({ headers }) => replyReference(headers, "{}") }),
    ],
    ["an answer to no request", (request) => answerTo(request, { reference: () => "" })],
    // Under such an id the body is a user's.
    [
      "the body of a message",
      (request) => answerTo(request, { webhookId: () => "atlast_msg_1" }),
    ],
    ["another id", (request) => answerTo(request, { body: json({ ...said, id: "m-2" }) })],
    ["another epoch", (request) => answerTo(request, { body: json({ ...said, epoch: 2 }) })],
    ["an epoch in text", (request) => answerTo(request, { body: json({ ...said, epoch: "3" }) })],
    ["no epoch", (request) => answerTo(request, { body: json({ ...said, epoch: undefined }) })],
    ["another word", (request) => answerTo(request, { body: json({ ...said, answer: "done" }) })],
    [
      "a list of words",
      (request) => answerTo(request, { body: json({ ...said, answer: ["committed"] }) }),
    ],
    ["no word", (request) => answerTo(request, { body: json({ ...said, answer: undefined }) })],
    ["the question itself", (request) => answerTo(request, { body: json(QUESTION) })],
    ["a list", (request) => answerTo(request, { body: json([said]) })],
    ["no JSON", (request) => answerTo(request, { body: () => "committed" })],
    [
      "too much",
      (request) => answerTo(request, { body: json({ ...said, more: "x".repeat(9000) }) }),
    ],
    ["no UTF-8", () =>
      new Response(new Uint8Array([0xff, 0xfe]), {
        headers: { "content-type": CHECKBACK_CONTENT_TYPE },
      })],
  ];
  for (const [title, respond] of unusable) {
    it(`${title} is unknown, and says why`, async () => {
      const reasons: string[] = [];
      const onUnusable = (reason: string) => void reasons.push(reason);
      const answer = await ask("https://side.test/private?token=secret", {
        fetch: fetchFrom(respond),
        onUnusable,
      });
      assert.equal(answer, "unknown");
      assert.match(reasons.join(), /^side\.test answered/);
      assert.ok(!reasons.join().includes("secret"));
    });
  }

  it("is no mistake of these cases: unchanged it decides", async () => {
    const fetch = fetchFrom((request) => answerTo(request));
    assert.equal(await ask("https://side.test/", { fetch }), "committed");
  });

  it("replayed from another message, or from before, is unknown", async () => {
    let kept: Response | undefined;
    const replaying = fetchFrom(async (request) => {
      kept ??= await answerTo(request);
      return kept.clone();
    });
    const first = { ...QUESTION, id: "m-0" };
    assert.equal(await ask("https://side.test/", { fetch: replaying }, first), "committed");
    assert.equal(await ask("https://side.test/", { fetch: replaying }), "unknown");
    assert.equal(await ask("https://side.test/", { fetch: replaying }, first), "unknown");
  });

  it("of a server that redirects is not looked for elsewhere", async () => {
    const paths: string[] = [];
    const server = await serve((request) => {
      paths.push(new URL(request.url).pathname);
      return new Response(null, { status: 308, headers: { location: "/elsewhere" } });
    });
    try {
      assert.equal(await ask(`${server.origin}/checkback`), "unknown");
      assert.deepEqual(paths, ["/checkback"]);
    } finally {
      await server.close();
    }
  });
});

describe("a participant that is not reached", () => {
  const statuses: [number, string][] = [
    [401, "unauthenticated"],
    [403, "forbidden"],
    [404, "unreachable"],
    [408, "unreachable"],
    [429, "unreachable"],
    [500, "unreachable"],
    [502, "unreachable"],
    [503, "unreachable"],
  ];
  for (const [status, code] of statuses) {
    it(`because it answers ${status}, is an error that says so`, async () => {
      const fetch = fetchFrom(() => new Response("<html>", { status }));
      await assert.rejects(
        ask("https://side.test/?token=secret", { fetch }),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, code);
          assert.match(
            error.message,
            new RegExp(`^Cannot check back: side\\.test answered ${status}`),
          );
          return true;
        },
      );
    });
  }

  it("because nothing listens there, is an error", async () => {
    const gone = await serve(() => new Response());
    await gone.close();
    await assert.rejects(ask(`${gone.origin}/checkback`), { code: "unreachable" });
  });

  it("because it is silent, is an error after its time", async () => {
    const silence: (() => void)[] = [];
    const server = await serveRaw((_, outgoing) => void silence.push(() => outgoing.end()));
    try {
      await assert.rejects(ask(`${server.origin}/checkback`, { timeoutMs: 20 }), {
        code: "timeout",
      });
    } finally {
      for (const end of silence) end();
      await server.close();
    }
  });

  it("because the asking was stopped, is an error", async () => {
    const controller = new AbortController();
    controller.abort();
    const checkBack = httpCheckBack({ url: "https://side.test/", signingKeys: [KEY] });
    await assert.rejects(checkBack.check(QUESTION, controller.signal), { code: "unreachable" });
  });
});

describe("the check-back route", () => {
  const fence = memoryFence();
  const servers: TestServer[] = [];
  const urls: string[] = [];
  const bus = createBus({ store: memoryStore(), transport: new FakeTransport(), fence });
  before(async () => {
    const options = { verify, participant: SIDE, signingKeys: [KEY] };
    for (
      const app of [
        createApp(bus, { verify, checkBack: options, basePath: "/atlast" }),
        createCheckBackApp(fence, { ...options, basePath: "/atlast" }),
      ]
    ) {
      const server = await serve(app.fetch);
      servers.push(server);
      urls.push(`${server.origin}/atlast/checkback`);
    }
  });
  after(async () => {
    await bus.stop();
    for (const server of servers) await server.close();
  });

  it("answers the same over a bus and over a bare fence", async () => {
    await fence.transaction((tx) => fence.commit("both", 1, tx));
    for (const url of urls) {
      assert.equal(await ask(url, {}, { ...QUESTION, id: "both" }), "committed");
      assert.equal(await ask(url, {}, { ...QUESTION, id: "neither" }), "aborted");
    }
  });

  it("fences nothing off before the time that it grants an operation", async () => {
    const early = { ...QUESTION, id: "early", checkedAtMs: QUESTION.preparedAtMs + 9_999 };
    for (const url of urls) assert.equal(await ask(url, {}, early), "unknown");
    const untimed = { id: "early", name: QUESTION.name, epoch: 3, participant: SIDE };
    for (const url of urls) assert.equal(await ask(url, {}, untimed), "unknown");
    await fence.transaction((tx) => fence.commit("early", 1, tx));
    for (const url of urls) {
      assert.equal(
        await ask(url, {}, { ...early, checkedAtMs: early.checkedAtMs + 1 }),
        "committed",
      );
    }
  });

  it("refuses what it cannot read, and writes nothing", async () => {
    const bad = [
      "",
      "{",
      "[]",
      "null",
      { ...QUESTION, id: "" },
      { ...QUESTION, id: "x".repeat(201) },
      { ...QUESTION, id: 7 },
      { ...QUESTION, name: "not a name" },
      { ...QUESTION, epoch: -1 },
      { ...QUESTION, epoch: 1.5 },
      { ...QUESTION, epoch: "3" },
      { ...QUESTION, participant: undefined },
      { ...QUESTION, preparedAtMs: undefined },
      { ...QUESTION, checkedAtMs: null },
      { ...QUESTION, checkedAtMs: "1764000010000" },
      { ...QUESTION, preparedAtMs: 1e300 },
    ];
    for (const url of urls) {
      for (const body of bad) {
        const { status, text } = await askRoute(url, CHECKBACK_CONTENT_TYPE, body);
        // What is no object has no audience.
        assert.equal(status, typeof body === "string" ? 401 : 400, JSON.stringify(body));
        assert.match(text ?? "", /"message":"Cannot /);
      }
      const large = { ...QUESTION, more: "x".repeat(17_000) };
      assert.equal((await askRoute(url, CHECKBACK_CONTENT_TYPE, large)).status, 413);
    }
    await fence.transaction((tx) => fence.commit(QUESTION.id, 1, tx));
  });

  it("wants its content type, POST and a signature", async () => {
    for (const url of urls) {
      const body = JSON.stringify({ ...QUESTION, id: "unsigned" });
      const typed = { "content-type": CHECKBACK_CONTENT_TYPE };
      const cases: [RequestInit, number][] = [
        [{ method: "GET" }, 405],
        [{ method: "POST", body }, 415],
        [{ method: "POST", body, headers: { "content-type": "application/json" } }, 415],
        [{ method: "POST", body, headers: typed }, 401],
      ];
      for (const [init, status] of cases) {
        const response = await fetch(url, init);
        assert.equal(response.status, status);
        await response.body?.cancel();
      }
    }
    await fence.transaction((tx) => fence.commit("unsigned", 1, tx));
  });

  it("takes a signature that was made for it, and not one for another route", async () => {
    const body = new TextEncoder().encode(JSON.stringify({ ...QUESTION, id: "passed off" }));
    for (const url of urls) {
      for (
        const requestId of [
          "msg_1",
          "atlast_msg_1",
        ]
      ) {
        const headers = await new Signer([KEY]).headersFor(requestId, body);
        const response = await fetch(url, {
          method: "POST",
          body,
          headers: { ...headers, "content-type": CHECKBACK_CONTENT_TYPE },
        });
        assert.equal(response.status, 401);
        await response.body?.cancel();
      }
    }
    await fence.transaction((tx) => fence.commit("passed off", 1, tx));
  });

  it("is not there without keys", async () => {
    const app = createApp(bus, { verify });
    const response = await app.request("/checkback", { method: "POST" });
    assert.equal(response.status, 404);
    await response.body?.cancel();
  });

  it("is refused where it could not answer", () => {
    const checkBack = { verify, participant: SIDE, signingKeys: [KEY] };
    const make = (changed: object) => () =>
      createApp(bus, { verify, checkBack: { ...checkBack, ...changed } });
    for (
      const changed of [{ participant: "" }, { signingKeys: [] }, { verify: 7 }, {
        verify: undefined,
      }]
    ) {
      assert.throws(make(changed), { code: "invalid_option" });
    }
    const busless = () => createApp(new FakeReceiver(), { verify, checkBack });
    assert.throws(busless, { code: "invalid_option" });
    assert.throws(() => createCheckBackApp(fence, { ...checkBack, verify: undefined! }), {
      code: "invalid_option",
    });
  });

  it("answers 5xx when the fence does not answer, which is unreachable", async () => {
    const broken = memoryFence();
    const app = (answer: () => Promise<CheckAnswer>) =>
      createCheckBackApp(
        Object.assign(Object.create(broken), { ready: () => Promise.resolve(), ask: answer }),
        {
          participant: SIDE,
          signingKeys: [KEY],
          verify,
          timeoutMs: 20,
          onError: silent,
        },
      );
    const answers: (() => Promise<CheckAnswer>)[] = [
      () => Promise.reject(new Error("no database")),
      () => Promise.resolve("unreachable"),
      () => new Promise(() => {}),
    ];
    for (const answer of answers) {
      const asked = ask("https://side.test/checkback", { fetch: fetchFrom(app(answer).fetch) });
      await assert.rejects(asked, { code: "unreachable" });
    }
  });
});
