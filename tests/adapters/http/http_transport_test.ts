import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { httpTransport, verifySignature } from "../../../adapters/http/mod.ts";
import type { HttpTransportOptions, SendResult } from "../../../adapters/http/mod.ts";
import type { WireResult } from "../../../core/wire/wire.ts";
import type { Message } from "../../../core/message/message.ts";
import { createApp } from "../../../edge/mod.ts";
import { FakeReceiver } from "../../support/fake_receiver.ts";
import { fetchFrom, KEY, send, signingKey, testMessage, testMessages } from "../../support/http.ts";
import { serve, serveRaw, type TestServer } from "../../support/serve.ts";

const NOT_ATLAST: Wanted = { retryable: true };

const URL_WITH_SECRET = "https://receiver.test/private-path/deliver?token=secret";

describe("what an answer means", () => {
  const cases: [string, () => Response, Wanted | "sent"][] = [
    ["accepted", () => results([{ id: "m-1", status: "accepted" }], 202), "sent"],
    ["handled", () => results([{ id: "m-1", status: "handled" }]), "sent"],
    ["stored as failed there", () => results([{ id: "m-1", status: "failed" }]), "sent"],
    ["no subscriber", () => results([{ id: "m-1", status: "no_subscriber" }]), {
      retryable: true,
      arrived: "no",
    }],
    [
      "refused",
      () => results([{ id: "m-1", status: "refused", reason: "Busy", retryAfterMs: 1500 }]),
      {
        retryable: true,
        arrived: "no",
        retryAfterMs: 1500,
        reason: "receiver.test did not take it now: Busy",
      },
    ],
    [
      "refused for a year",
      () => results([{ id: "m-1", status: "refused", retryAfterMs: 3e10 }]),
      { retryable: true, arrived: "no", retryAfterMs: 3_600_000 },
    ],
    [
      "refused for less than no time",
      () => results([{ id: "m-1", status: "refused", retryAfterMs: -5 }]),
      { retryable: true, arrived: "no", retryAfterMs: 0 },
    ],
    [
      "malformed",
      () => results([{ id: "m-1", status: "malformed", reason: "a\nb" }]),
      {
        retryable: false,
        arrived: "no",
        reason: "receiver.test cannot read it: a b",
        code: "malformed_message",
      },
    ],
    ["a newer status", () => results([{ id: "m-1", status: "parked" }]), { retryable: true }],
    ["another id", () => results([{ id: "m-2", status: "handled" }]), NOT_ATLAST],
    ["no result", () => results([]), NOT_ATLAST],
    [
      "too many results",
      () => results([{ id: "m-1", status: "handled" }, { id: "m-1", status: "handled" }]),
      NOT_ATLAST,
    ],
    ["HTML", () => new Response("<html>Welcome</html>"), NOT_ATLAST],
    ["nothing", () => new Response(null, { status: 204 }), NOT_ATLAST],
    ["created", () => results([{ id: "m-1", status: "handled" }], 201), NOT_ATLAST],
    ["no UTF-8", () => new Response(new Uint8Array([0xff, 0xfe])), NOT_ATLAST],
    ["cut UTF-8", () => new Response(new Uint8Array([0xe2, 0x82])), NOT_ATLAST],
    [
      "400",
      () => error(400, "malformed_message", "Cannot read it"),
      {
        retryable: false,
        arrived: "no",
        reason: "receiver.test answered 400: malformed_message: Cannot read it",
        code: "malformed_message",
      },
    ],
    ["401", () => new Response(null, { status: 401 }), { retryable: true, arrived: "no" }],
    ["403", () => new Response(null, { status: 403 }), { retryable: true, arrived: "no" }],
    [
      "404",
      () => new Response("<h1>", { status: 404 }),
      {
        retryable: true,
        arrived: "no",
        reason:
          "receiver.test answered 404 (does the route say where it takes deliveries, such as …/deliver?)",
      },
    ],
    ["408", () => new Response(null, { status: 408 }), { retryable: true }],
    ["409", () => new Response(null, { status: 409 }), { retryable: true }],
    [
      "a conflict of ids",
      () => refusedForGood(409, "id_conflict"),
      { retryable: false, code: "id_conflict" },
    ],
    [
      "403 for the message itself",
      () => refusedForGood(403, "forbidden"),
      { retryable: false, arrived: "no", code: "forbidden" },
    ],
    [
      "rejected with a class",
      () => results([{ id: "m-1", status: "rejected", code: "id_conflict" }]),
      { retryable: false, code: "id_conflict" },
    ],
    [
      "rejected with a class of a newer version",
      () => results([{ id: "m-1", status: "rejected", code: "constructor" }]),
      { retryable: false, arrived: "no" },
    ],
    ["413 alone", () => new Response(null, { status: 413 }), { retryable: false, arrived: "no" }],
    ["431", () => new Response(null, { status: 431 }), { retryable: false, arrived: "no" }],
    ["489", () => new Response(null, { status: 489 }), { retryable: false }],
    ["415", () => new Response(null, { status: 415 }), { retryable: true, arrived: "no" }],
    ["425", () => new Response(null, { status: 425 }), { retryable: true }],
    [
      "429",
      () => wait(429, "3"),
      { retryable: true, arrived: "no", retryAfterMs: 3000, delayedBy: "rate_limit" },
    ],
    [
      "429 without a time",
      () => new Response(null, { status: 429 }),
      { retryable: true, arrived: "no", delayedBy: "rate_limit" },
    ],
    [
      "503 until a time in the past",
      () => wait(503, "Thu, 01 Jan 1970 00:00:09 GMT"),
      { retryable: true, retryAfterMs: 0 },
    ],
    [
      "refused by a handler that chose the time",
      () => results([{ id: "m-1", status: "refused", code: "retry_after", retryAfterMs: 1500 }]),
      { retryable: true, arrived: "no", retryAfterMs: 1500, delayedBy: "retry_after" },
    ],
    [
      "503 of a handler that chose the time",
      () =>
        Response.json({ error: { code: "retry_after", message: "Later", retryAfterMs: 1200 } }, {
          status: 503,
          headers: { "retry-after": "2" },
        }),
      { retryable: true, arrived: "no", retryAfterMs: 1200, delayedBy: "retry_after" },
    ],
    [
      "503 until a time",
      () => wait(503, "Thu, 01 Jan 2026 00:00:09 GMT"),
      { retryable: true, retryAfterMs: 9000 },
    ],
    [
      "503 to the millisecond",
      () =>
        Response.json({ error: { code: "refused", message: "Full", retryAfterMs: 1200 } }, {
          status: 503,
          headers: { "retry-after": "2" },
        }),
      {
        retryable: true,
        arrived: "no",
        retryAfterMs: 1200,
        reason: "receiver.test answered 503: refused: Full",
      },
    ],
    [
      "refused by a service that is stopping",
      () =>
        results([{
          id: "m-1",
          status: "refused",
          code: "stopping",
          reason: "The bus is stopping",
          retryAfterMs: 1000,
        }]),
      {
        kind: "stopping",
        arrived: "no",
        retryAfterMs: 1000,
        reason: "receiver.test did not take it now: The bus is stopping",
      },
    ],
    [
      "503 of a service that is stopping",
      () => error(503, "stopping", "Cannot take it now"),
      { kind: "stopping", arrived: "no" },
    ],
    [
      "503 of a service whose bus has stopped",
      () => error(503, "stopped", "Cannot take messages now"),
      { kind: "stopping", arrived: "no" },
    ],
    [
      "refused, where another group took it",
      () => results([{ id: "m-1", status: "refused", arrived: "unknown" }]),
      { retryable: true },
    ],
    [
      "503, where another group took it",
      () =>
        Response.json({ error: { code: "refused", message: "No" } }, {
          status: 503,
          headers: { "atlast-arrived": "unknown" },
        }),
      { retryable: true },
    ],
    ["rejected", () => results([{ id: "m-1", status: "rejected" }]), {
      retryable: false,
      arrived: "no",
    }],
    ["503 until it pleases", () => wait(503, "later"), { retryable: true }],
    ["500", () => new Response("stack trace", { status: 500 }), { retryable: true }],
    ["a code that is a page", () => error(500, "x", "y".repeat(5000)), { retryable: true }],
  ];
  for (const format of ["batch", "message"] as const) {
    for (const [title, respond, wanted] of cases) {
      it(`${title}, format ${format}`, async () => {
        const [result] = await answered(respond, { format });
        if (wanted === "sent") return assert.deepEqual(result, { kind: "sent" });
        assert.ok(result?.kind === "failed" || result?.kind === "stopping");
        const { kind, reason, unreachable, ...rest } = { unreachable: undefined, ...result };
        // Only an answer that may come from something before the service.
        assert.equal(unreachable !== undefined, title.startsWith("503 until"), unreachable);
        const { kind: wantedKind = "failed", reason: wantedReason, ...wantedRest } = wanted;
        assert.equal(kind, wantedKind);
        assert.deepEqual(rest, wantedRest);
        if (wantedReason !== undefined) assert.equal(reason, wantedReason);
        assert.ok(reason.length <= 1000);
        for (const part of ["secret", "private-path", "html", "stack", "orderId"]) {
          assert.ok(!reason.includes(part), reason);
        }
      });
    }
  }

  it("is each message's own", async () => {
    const statuses = ["handled", "no_subscriber", "malformed", "accepted", "refused", "failed"];
    const messages = testMessages(statuses.length);
    const found = await answered(
      () => results(statuses.map((status, i) => ({ id: `m-${i + 1}`, status }))),
      {},
      messages,
    );
    assert.deepEqual(found.map((result) => result.kind), [
      "sent",
      "failed",
      "failed",
      "sent",
      "failed",
      "sent",
    ]);
  });
});

describe("requests", () => {
  it("have no more messages than maxBatch", async () => {
    const log = new Log();
    const found = await send("https://a.test", testMessages(7), { maxBatch: 3, fetch: log.fetch });
    assert.deepEqual(found, Array(7).fill({ kind: "sent" }));
    assert.deepEqual(log.batches(), [["m-1", "m-2", "m-3"], ["m-4", "m-5", "m-6"], ["m-7"]]);
  });

  it("have no more bytes than maxRequestBytes, and a message alone can be over it", async () => {
    const log = new Log();
    const body = JSON.stringify("é".repeat(300));
    const messages = testMessages(5).map((message) => ({ ...message, body }));
    const big = testMessage({ id: "big", body: "x".repeat(2500), headers: { free: "1" } });
    const found = await send("https://a.test", [...messages, big], {
      maxRequestBytes: 2000,
      fetch: log.fetch,
    });
    assert.deepEqual(found.slice(0, 5), Array(5).fill({ kind: "sent" }));
    assert.equal(failed(found[5]).retryable, false);
    assert.match(failed(found[5]).reason, /want 2000 at most/);
    assert.deepEqual(log.batches(), [["m-1", "m-2"], ["m-3", "m-4"], ["m-5"]]);
    assert.ok(log.sizes.every((bytes) => bytes <= 2000 && bytes > 800));
  });

  it("carry a body raw that JSON would make too long", async () => {
    const log = new Log();
    const message = testMessage({ contentType: "text/plain", body: "\u0001".repeat(1500) });
    const found = await send("https://a.test", [message], {
      maxRequestBytes: 2000,
      fetch: log.fetch,
    });
    assert.deepEqual(found, [{ kind: "sent" }]);
    assert.deepEqual(log.sizes, [1500]);
  });

  it("keep the raw form whatever headers a message has, and lose none of them", async () => {
    const messages = [
      { headers: { free: "1" } },
      { headers: { "cap-x": "é", "cap-y": "plain" } },
      { headers: { "cap-x": "漢" } },
      { headers: { "cap-x": " a" } },
      { headers: { "cap-x": "" } },
      { headers: { "atlast-headers": "of the user" } },
      { id: "x-7漢" },
      {},
    ].map((part, i) => testMessage({ id: `x-${i}`, ...part }));
    const requests: Request[] = [];
    const receiver = new FakeReceiver();
    const app = createApp(receiver, { verify: verifySignature({ signingKeys: [KEY] }) });
    const found = await send("https://a.test/deliver", messages, {
      format: "message",
      fetch: async (url, init) => {
        requests.push(new Request(url, init));
        return await app.fetch(new Request(url, init));
      },
    });
    assert.deepEqual(found, messages.map(() => ({ kind: "sent" })));
    const types = requests.map(({ headers }) => headers.get("content-type"));
    assert.deepEqual(types, messages.map(() => "application/json"));
    const byId = (a: Message, b: Message) => a.id < b.id ? -1 : 1;
    assert.deepEqual(
      receiver.delivered.map((
        { headers: { "cap-corr-id": _, "cap-corr-seq": __, ...headers }, ...rest },
      ) => ({
        ...rest,
        headers,
      })).sort(byId),
      messages.toSorted(byId),
    );
  });

  it("are none for a content type or a text that the raw form does not keep", async () => {
    const log = new Log();
    const misfits = [
      { contentType: "text/plain; name=é" },
      { contentType: "application/vnd.atlast.batch+json" },
      { contentType: "application/vnd.atlast.half+json; charset=utf-8" },
      { contentType: "text/plain", body: "\ud800" },
    ].map((part, i) => testMessage({ id: `x-${i}`, ...part }));
    const found = await send("https://a.test", misfits, { format: "message", fetch: log.fetch });
    assert.deepEqual(found.map((each) => failed(each).retryable), misfits.map(() => false));
    assert.deepEqual(log.requests, []);
  });

  it("keep the form and the answers of their route, whatever headers a message has", async () => {
    const plain = testMessage({ id: "a" });
    const messages = [
      plain,
      testMessage({ id: "b", headers: { tenant: "7" } }),
      testMessage({ id: "c", body: "\u0000".repeat(400_000) }),
    ];
    for (const format of ["batch", "message"] as const) {
      for (const answers of ["atlast", "any_2xx"] as const) {
        for (const where of ["route", "destination"] as const) {
          const log = new Log(() => 204);
          const url = "https://a.test/hook";
          const keys = { signingKeys: [signingKey("p")] };
          const sent = where === "route" ? messages : messages.map((each) => ({
            ...each,
            headers: { ...each.headers, "atlast-destination": url },
          }));
          const found = await send(url, sent, {
            routes: { "#": { url, ...keys, format, answers } },
            destinations: [{ url, ...keys, format, answers }],
            fetch: log.fetch,
          });
          const title = `${format} ${answers} ${where}`;
          const kind = answers === "any_2xx" ? "sent" : "failed";
          assert.deepEqual(found.map((each) => each.kind), [kind, kind, kind], title);
          const isRaw = log.requests.map(({ headers }) => headers.has("cap-msg-name"));
          assert.deepEqual([...new Set(isRaw)], [format === "message"], title);
          // A status says one thing, so each message has its own.
          if (answers === "any_2xx") assert.equal(log.requests.length, 3, title);
        }
      }
    }
  });

  it("of one batch are halved while it is too large there", async () => {
    const log = new Log((ids) => ids.length > 2 || ids.includes("m-5") ? 413 : 200);
    const found = await send("https://a.test", testMessages(7), { fetch: log.fetch });
    assert.deepEqual(found.map(({ kind }) => kind), [
      "sent",
      "sent",
      "sent",
      "sent",
      "failed",
      "sent",
      "sent",
    ]);
    assert.equal(failed(found[4]).retryable, false);
  });

  it("have the headers of the user, and are told from others by their signature", async () => {
    const log = new Log();
    await send("https://a.test", [testMessage()], {
      headers: { authorization: "Bearer gateway" },
      fetch: log.fetch,
    });
    const [{ headers, redirect }] = log.requests as [Request];
    assert.equal(headers.get("authorization"), "Bearer gateway");
    assert.equal(headers.get("content-type"), "application/vnd.atlast.batch+json");
    assert.match(headers.get("webhook-id")!, /^msg_[\w-]{43}$/);
    assert.equal(redirect, "manual");
  });

  it("of the same batch have the same id", async () => {
    const log = new Log();
    for (const id of ["a", "a", "b"]) {
      await send("https://a.test", [testMessage({ id })], { fetch: log.fetch });
    }
    const ids = log.requests.map(({ headers }) => headers.get("webhook-id"));
    assert.equal(ids[0], ids[1]);
    assert.notEqual(ids[0], ids[2]);
  });

  it("are at most six at once, and a URL with many does not keep the others back", async () => {
    let open = 0;
    let most = 0;
    const order: string[] = [];
    const transport = httpTransport({
      routes: { "many.*": "https://many.test", "few.*": "https://few.test" },
      signingKeys: [KEY],
      maxBatch: 1,
      fetch: async (url, init) => {
        order.push(new URL(url).host);
        most = Math.max(most, ++open);
        await new Promise((resolve) => setTimeout(resolve, 0));
        open--;
        return handled(new Request(url, init));
      },
    });
    const many = testMessages(20).map((message) => ({ ...message, name: "many.a" }));
    const few = testMessage({ id: "few", name: "few.a" });
    const found = await transport.send([...many, few], new AbortController().signal);
    assert.deepEqual(found, Array(21).fill({ kind: "sent" }));
    assert.equal(most, 6);
    assert.ok(order.indexOf("few.test") < 6);
  });
});

describe("routes", () => {
  const transport = (statusOfB: number) =>
    httpTransport({
      routes: { "order.#": ["https://a.test", "https://b.test"], "stock.moved": "https://b.test" },
      signingKeys: [KEY],
      fetch: (url, init) =>
        new URL(url).host === "b.test" && statusOfB !== 200
          ? Promise.resolve(wait(statusOfB, "2"))
          : handled(new Request(url, init)),
    });
  const messages = [
    testMessage({ id: "1", name: "order.placed" }),
    testMessage({ id: "2", name: "stock.moved" }),
    testMessage({ id: "3", name: "bill.sent" }),
  ];
  const { signal } = new AbortController();

  it("with several URLs want all of them to take it", async () => {
    const sent = await transport(200).send(messages, signal);
    assert.deepEqual(sent.map(({ kind }) => kind), ["sent", "sent", "unroutable"]);
    const [first, second] = await transport(503).send(messages, signal);
    assert.deepEqual([failed(first).retryable, failed(first).retryAfterMs], [true, 2000]);
    assert.deepEqual(failed(second).reason, "b.test answered 503");
    assert.equal(failed((await transport(400).send(messages, signal))[0]).retryable, false);
  });

  it("with no match are told apart from failures, and send nothing", async () => {
    const unroutable = { kind: "unroutable", reason: `No route matches "bill.sent"` };
    assert.deepEqual(await transport(200).send([messages[2]!], signal), [unroutable]);
    assert.deepEqual(await transport(200).send([], signal), []);
  });
});

describe("over a real connection", () => {
  let redirects = 0;
  let server: TestServer;
  const silence = new Set<() => void>();
  before(async () => {
    server = await serveRaw((incoming, outgoing) => {
      incoming.resume();
      switch (new URL(incoming.url!, "http://x").pathname) {
        case "/redirect":
          outgoing.writeHead(307, { location: "/target" });
          return void outgoing.end();
        case "/target":
          redirects++;
          return void outgoing.end();
        case "/silent":
          return void silence.add(() => outgoing.end());
        case "/stalls":
          outgoing.writeHead(200, { "content-type": "application/json" });
          return void outgoing.write(`{"results":[`);
        case "/endless": {
          outgoing.writeHead(200, { "content-type": "application/json" });
          const more = () => {
            while (!outgoing.destroyed && outgoing.write(" ".repeat(65536)));
          };
          outgoing.on("drain", more);
          outgoing.on("error", () => {});
          return more();
        }
        case "/cut":
          outgoing.writeHead(200, { "content-length": "100" });
          outgoing.write("{");
          return void outgoing.socket!.destroy();
      }
    });
  });
  after(() => server.close());

  it("a redirect is a failure and is not followed", async () => {
    const [result] = await send(`${server.origin}/redirect`, [testMessage()]);
    assert.equal(failed(result).retryable, true);
    assert.match(failed(result).reason, /redirect \(307\)/);
    assert.equal(redirects, 0);
  });

  for (const path of ["/silent", "/stalls"]) {
    it(`a server that is slow (${path}) times out, once for each URL`, async () => {
      const found = await send(`${server.origin}${path}`, testMessages(20), {
        timeoutMs: 50,
        maxBatch: 1,
      });
      for (const result of found) {
        assert.equal(failed(result).retryable, true);
        assert.match(failed(result).reason, /did not answer in time/);
      }
      const skipped = found.filter((result) => failed(result).reason.endsWith("just before"));
      assert.equal(skipped.length, 14);
      for (const end of silence) end();
    });
  }

  it("an endless answer is not read to its end", async () => {
    const [result] = await send(`${server.origin}/endless`, [testMessage()]);
    assert.match(
      failed(result).reason,
      /did not answer as an Atlast service: got status \d+, want 200 and what became of each message/,
    );
  });

  it("a connection that is cut or refused is worth another attempt", async () => {
    const [cut] = await send(`${server.origin}/cut`, [testMessage()]);
    assert.match(failed(cut).reason, /^Cannot reach 127\.0\.0\.1:\d+/);
    assert.equal(failed(cut).arrived, undefined);
    const gone = await serve(() => new Response());
    await gone.close();
    const [refused] = await send(`${gone.origin}/deliver?token=secret`, [testMessage()]);
    assert.equal(failed(refused).retryable, true);
    assert.equal(failed(refused).arrived, "no");
    assert.match(failed(refused).reason, /^Cannot reach 127\.0\.0\.1:\d+(: \w+)?$/);
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    const transport = httpTransport({
      routes: { "#": `${server.origin}/silent` },
      signingKeys: [KEY],
    });
    const sending = transport.send([testMessage()], controller.signal);
    controller.abort();
    const [broken] = await sending;
    assert.ok(broken?.kind === "stopping");
    assert.match(broken.reason, /^The bus stopped/);
    const [again] = await transport.send([testMessage()], controller.signal);
    assert.ok(again?.kind === "stopping");
    assert.equal(again.arrived, "no");
    await transport.close();
  });
});

type Failed = SendResult & { kind: "failed" };

/** What a case expects of a message that was not sent. */
interface Wanted {
  readonly kind?: "failed" | "stopping";
  readonly reason?: string;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly delayedBy?: string;
  readonly arrived?: "no";
  readonly code?: string;
}

function failed(result: SendResult | undefined): Failed {
  assert.equal(result?.kind, "failed");
  return result as Failed;
}

function results(list: WireResult[], status = 200): Response {
  return Response.json({ results: list }, { status });
}

function error(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status });
}

function refusedForGood(status: number, code: string): Response {
  return Response.json({ error: { code, message: "Never", final: true } }, { status });
}

function wait(status: number, retryAfter: string): Response {
  return new Response(null, { status, headers: { "retry-after": retryAfter } });
}

/** Sends messages to a server that answers so. */
function answered(
  respond: () => Response,
  options: Partial<HttpTransportOptions>,
  messages = [testMessage()],
): Promise<SendResult[]> {
  const clock = { now: () => Date.UTC(2026, 0, 1) };
  return send(URL_WITH_SECRET, messages, { clock, fetch: fetchFrom(respond), ...options });
}

/** The ids of the messages in a request. */
async function idsIn(request: Request): Promise<string[]> {
  const single = request.headers.get("cap-msg-id");
  if (single !== null) return [single];
  const { messages } = await request.clone().json();
  return messages.map((item: { headers: Record<string, string> }) => item.headers["cap-msg-id"]);
}

async function handled(request: Request): Promise<Response> {
  return results((await idsIn(request)).map((id) => ({ id, status: "handled" })));
}

/** A server that takes everything, or answers the status it is told, and remembers what came. */
class Log {
  readonly requests: Request[] = [];
  readonly sizes: number[] = [];
  readonly #ids: string[][] = [];
  readonly fetch: NonNullable<HttpTransportOptions["fetch"]>;

  constructor(statusFor: (ids: string[]) => number = () => 200) {
    this.fetch = fetchFrom(async (request) => {
      const ids = await idsIn(request);
      this.requests.push(request);
      this.#ids.push(ids);
      this.sizes.push((await request.clone().arrayBuffer()).byteLength);
      const status = statusFor(ids);
      return status === 200 ? handled(request) : new Response(null, { status });
    });
  }

  /** The ids of each request, in the order of their first. */
  batches(): string[][] {
    return this.#ids.toSorted((a, b) => a[0]!.localeCompare(b[0]!));
  }
}
