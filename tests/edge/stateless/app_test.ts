import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { httpTransport, verifySignature } from "../../../adapters/http/mod.ts";
import { answerId } from "../../../bus/settings/ids.ts";
import type { Message } from "../../../core/message/message.ts";
import { BATCH_CONTENT_TYPE, batchItem, batchOf } from "../../../core/wire/wire.ts";
import { createApp } from "../../../edge/mod.ts";
import {
  type App,
  createStatelessApp,
  type HandlerContext,
  NonRetryable,
  RetryAfter,
  type StatelessAppOptions,
  subscribe,
  type Subscriber,
} from "../../../edge/stateless/mod.ts";
import { AtlastError, failureReport } from "../../../mod.ts";
import { defineMessage } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport, refusal, SENT } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { pushed } from "../../support/pushed.ts";
import { KEY } from "../../support/http.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { Observed } from "../../support/observed.ts";
import { serve } from "../../support/serve.ts";

const LIST = { kind: "list", delaysMs: [5_000, 70_000] } as const;

const OWN_SERVICES = { name: "services", kind: "service" } as const;

/** An app for subscribers, on a clock that stands still, and QStash's way of asking it. */
function stateless(
  subscribers: readonly Subscriber<undefined>[],
  options: Partial<StatelessAppOptions> = {},
) {
  const clock = new ManualClock();
  const transport = new FakeTransport();
  const observed = new Observed();
  const app = createStatelessApp(subscribers, {
    verify: pushed,
    transport,
    service: "stateless",
    retry: LIST,
    observe: observed.observe,
    clock,
    random: () => 0,
    ...options,
  });
  /** Delivers as QStash does, for the `attempt`-th time; as one who does not count for null. */
  const deliver = async (
    attempt: number | null,
    headers: Record<string, string> = {},
    body: BodyInit = `{"n":1}`,
  ): Promise<Response> =>
    await app.request("/deliver", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "cap-msg-id": "m-1",
        "cap-msg-name": Placed.name,
        ...(attempt === null
          ? {}
          : { "upstash-message-id": "msg_1", "upstash-retried": String(attempt - 1) }),
        ...headers,
      },
      body,
    });
  return { app, clock, transport, observed, deliver };
}

/** What QStash would make of an answer. */
function verdict(response: Response): string {
  const { status, headers } = response;
  if (status >= 200 && status < 300) return "done";
  if (status === 489 && headers.get("upstash-nonretryable-error") === "true") return "never again";
  const after = headers.get("retry-after");
  return after === null ? `again (${status})` : `again after ${after} s`;
}

const failing = (error: () => unknown, group = "g") =>
  subscribe(Placed, { group }, () => {
    throw error();
  });

describe("a subscriber without a store", () => {
  it("handles a message within its delivery", async () => {
    const seen: unknown[] = [];
    const { deliver, observed } = stateless([
      subscribe(Placed, { group: "mail" }, (body, context: HandlerContext<undefined>) => {
        const { group, attempt, tx, headers, message } = context;
        seen.push(body, group, attempt, tx, headers["cap-msg-id"], message.id);
      }),
    ]);
    const response = await deliver(3);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { results: [{ id: "m-1", status: "handled" }] });
    assert.deepEqual(seen, [{ n: 1 }, "mail", 3, undefined, "m-1", "m-1"]);
    const about = { box: "inbox", id: "m-1", name: Placed.name, group: "mail" };
    assert.deepEqual(observed.events, [
      { kind: "redelivered", ...about },
      { kind: "succeeded", ...about, attempts: 3 },
    ]);
  });

  it("handles it again when it is delivered again: nothing remembers", async () => {
    let runs = 0;
    const { deliver } = stateless([subscribe(Placed, { group: "g" }, () => void runs++)]);
    assert.deepEqual([verdict(await deliver(1)), verdict(await deliver(1))], ["done", "done"]);
    assert.equal(runs, 2);
  });

  it("asks for the next attempt by its retry policy, until the attempts are used up", async () => {
    const { deliver, observed } = stateless([failing(() => new Error("secret"))]);
    const verdicts: string[] = [];
    for (const attempt of [1, 2, 3]) {
      const response = await deliver(attempt);
      verdicts.push(verdict(response));
      assert.ok(!(await response.text()).includes("secret"));
    }
    assert.deepEqual(verdicts, ["again after 5 s", "again after 70 s", "never again"]);
    const reason = "Error-->secret";
    assert.equal(observed.all("retrying", { reason, dueAtMs: NOW_MS + 5_000 }).length, 1);
    assert.deepEqual(observed.all("failed").map((event) => [event.attempts, event.reason]), [
      [3, reason],
    ]);
  });

  it("does not run a handler whose attempts were used up before", async () => {
    let runs = 0;
    const { deliver } = stateless([subscribe(Placed, { group: "g" }, () => void runs++)]);
    assert.equal(verdict(await deliver(4)), "never again");
    assert.equal(runs, 0);
  });

  it("has a policy of its own for a subscriber", async () => {
    const retry = { kind: "fixed", delayMs: 9_000, maxAttempts: 2 } as const;
    const { deliver } = stateless([
      subscribe(Placed, { group: "g", retry }, () => {
        throw new Error("No");
      }),
    ]);
    assert.deepEqual([verdict(await deliver(1)), verdict(await deliver(2))], [
      "again after 9 s",
      "never again",
    ]);
  });

  it("does as the handler wishes", async () => {
    const wishes: [() => unknown, string][] = [
      [() => new RetryAfter(33_000), "again after 33 s"],
      [() => new NonRetryable("No"), "never again"],
      [() => "no error at all", "again after 5 s"],
    ];
    for (const [error, wanted] of wishes) {
      assert.equal(verdict(await stateless([failing(error)]).deliver(1)), wanted);
    }
  });

  it("is not tried sooner because what its handler publishes was refused until at once", async () => {
    for (const delayedBy of [undefined, "rate_limit"] as const) {
      const result = { kind: "failed", reason: "busy", retryable: true, retryAfterMs: 0 } as const;
      const transport = new FakeTransport(() =>
        delayedBy === undefined ? result : { ...result, delayedBy }
      );
      const { deliver } = stateless(
        [subscribe(Placed, { group: "g" }, async (_, context) => {
          await context.publish(Placed, { n: 2 });
        })],
        { transport, service: "mail" },
      );
      assert.equal(verdict(await deliver(1)), "again after 5 s");
      const { error } = await (await deliver(null)).json();
      assert.deepEqual([error.code, error.retryAfterMs], [delayedBy ?? "refused", 0]);
    }
  });

  it("leaves the schedule to one who does not count", async () => {
    const { deliver } = stateless([failing(() => new Error("No"))]);
    const response = await deliver(null);
    assert.equal(verdict(response), "again (503)");
    assert.equal(
      verdict(await stateless([failing(() => new RetryAfter(7_000))]).deliver(null)),
      "again after 7 s",
    );
  });

  it("refuses at once and for good what does not fit its contract", async () => {
    let runs = 0;
    const { deliver } = stateless([subscribe(Placed, { group: "g" }, () => void runs++)]);
    for (const body of [`{"n":"1"}`, "{", new Uint8Array([0xff])]) {
      assert.equal(verdict(await deliver(1, {}, body)), "never again");
    }
    assert.equal(runs, 0);
  });

  it("fails a handler that takes too long, and tells it so", async () => {
    const started = new Gate();
    let signal: AbortSignal | undefined;
    const { deliver, clock } = stateless([
      subscribe(Placed, { group: "g", timeoutMs: 1_000 }, async (_, context) => {
        signal = context.signal;
        await started.pass();
      }),
    ]);
    const delivering = deliver(1);
    await started.reached(1);
    clock.advance(999);
    assert.equal(signal?.aborted, false);
    clock.advance(1);
    assert.equal(verdict(await delivering), "again after 5 s");
    assert.equal(signal?.aborted, true);
    started.open();
    assert.equal(clock.waiting, 0);
  });

  it("has each group handle it, and wants it again while one has not", async () => {
    const runs: string[] = [];
    let isBroken = true;
    const { deliver } = stateless([
      subscribe(Placed, { group: "a" }, () => void runs.push("a")),
      subscribe(Placed, { group: "b" }, () => {
        runs.push("b");
        if (isBroken) throw new Error("No");
      }),
      failing(() => new NonRetryable("Never"), "c"),
    ]);
    assert.equal(verdict(await deliver(1)), "again after 5 s");
    isBroken = false;
    assert.equal(verdict(await deliver(2)), "never again");
    assert.deepEqual(runs, ["a", "b", "a", "b"]);
  });

  it("answers each message of a batch, some at a time", async () => {
    const gate = new Gate();
    let most = 0;
    let running = 0;
    const { app } = stateless([
      subscribe(Placed, { group: "g" }, async ({ n }) => {
        most = Math.max(most, ++running);
        await gate.pass();
        running--;
        if (n === 2) throw new Error("No");
        if (n === 3) throw new NonRetryable("Never");
      }),
    ], { concurrency: 2 });
    const items = [1, 2, 3].map((n) => batchItem(arriving(`m-${n}`, { body: `{"n":${n}}` })));
    items.push(batchItem(arriving("m-4", { name: "other" })), `{"headers":{}}`);
    const answering = app.request("/deliver", {
      method: "POST",
      headers: { "content-type": BATCH_CONTENT_TYPE },
      body: batchOf(items),
    });
    await gate.reached(2);
    gate.open();
    const response = await answering;
    assert.equal(response.status, 200);
    const { results } = await response.json();
    assert.deepEqual(
      results.map(({ id, status }: { id: string; status: string }) => [id, status]),
      [
        ["m-1", "handled"],
        ["m-2", "refused"],
        ["m-3", "rejected"],
        ["m-4", "no_subscriber"],
        [null, "malformed"],
      ],
    );
    assert.equal(most, 2);
  });

  it("is not there for other names, and tells QStash what no attempt would mend", async () => {
    const { deliver } = stateless([failing(() => new Error("No"))], { maxBodyBytes: 100 });
    const asked: [Record<string, string>, BodyInit, number, number][] = [
      [{ "cap-msg-name": "other" }, "{}", 404, 404],
      [{ "cap-msg-name": "a b" }, "{}", 400, 489],
      [{ "content-encoding": "gzip" }, "{}", 415, 489],
      [{}, "x".repeat(101), 413, 489],
      [{ "cap-x": "y".repeat(9_000) }, "{}", 431, 489],
    ];
    for (const [headers, body, status, toQstash] of asked) {
      assert.equal((await deliver(null, headers, body)).status, status);
      const response = await deliver(1, headers, body);
      assert.equal(response.status, toQstash);
      assert.equal(verdict(response), toQstash === 489 ? "never again" : "again (404)");
    }
    const app = createStatelessApp([], {
      verify: () => ({ ok: false, kind: "unauthenticated", reason: "No" }),
    });
    const unsigned = await app.request("/deliver", {
      method: "POST",
      headers: { "upstash-message-id": "msg_1" },
    });
    assert.equal(unsigned.status, 401);
  });

  it("says that it is alive, and has no other route", async () => {
    const { app } = stateless([]);
    assert.deepEqual(await (await app.request("/health")).json(), { status: "alive" });
    for (const path of ["/tick", "/ready", "/publish", "/query", "/half"]) {
      assert.equal((await app.request(path)).status, 404);
    }
    assert.equal((await app.request("/deliver")).status, 405);
  });

  it("refuses options that are none", () => {
    const verify = () => ({ ok: true }) as const;
    const twice = [failing(() => new Error()), failing(() => new Error())];
    const bad: (() => unknown)[] = [
      () => createStatelessApp([], {} as StatelessAppOptions),
      () => createStatelessApp([], { verify, basePath: "x" }),
      () => createStatelessApp([], { verify, maxBodyBytes: 0 }),
      () => createStatelessApp([], { verify, handlerTimeoutMs: 0 }),
      () => createStatelessApp([], { verify, concurrency: NaN }),
      () => createStatelessApp([], { verify, retry: { kind: "list", delaysMs: [-1] } }),
      () => createStatelessApp(twice, { verify }),
    ];
    for (const make of bad) assert.throws(make, AtlastError);
  });
});

describe("what a subscriber without a store sends", () => {
  const asking = { "cap-msg-name": Deduct.name, "cap-callback-name": Marked.name };
  const deducting = subscribe(Deduct, { group: "stock" }, ({ n }) => ({ n, ok: true }));

  it("is the callback, with the same id each time", async () => {
    const { deliver, transport } = stateless([deducting]);
    assert.equal(verdict(await deliver(1, asking)), "done");
    assert.equal(verdict(await deliver(2, asking)), "done");
    const id = await answerOf("reply", "stock");
    const callback: Message = {
      id,
      name: Marked.name,
      headers: {
        "cap-corr-id": "m-1",
        "cap-corr-seq": "1",
        "cap-msg-group": "stock",
        "atlast-responder": "stateless",
      },
      contentType: "application/json",
      body: `{"n":1,"ok":true}`,
      sentAtMs: NOW_MS,
    };
    assert.deepEqual(transport.messages, [callback, callback]);
  });

  it("must arrive, or the message is wanted again", async () => {
    const { deliver, transport } = stateless([deducting]);
    const answers: [ReturnType<FakeTransport["sender"]>, string][] = [
      [refusal("secret"), "again after 5 s"],
      [refusal("secret", 12_000), "again after 12 s"],
      [{ kind: "unroutable", reason: "secret" }, "again after 5 s"],
      [{ kind: "failed", reason: "secret", retryable: false }, "never again"],
      [SENT, "done"],
    ];
    for (const [answer, wanted] of answers) {
      transport.sender = () => answer;
      const response = await deliver(1, asking);
      assert.equal(verdict(response), wanted);
      assert.ok(!(await response.text()).includes("secret"));
    }
    assert.equal(new Set(transport.ids).size, 1);
    transport.unknown.add(Marked.name);
    assert.equal(verdict(await deliver(1, asking)), "again after 5 s");
  });

  it("is what the handler publishes, at once", async () => {
    const { deliver, transport } = stateless([
      subscribe(Placed, { group: "g" }, async ({ n }, { publish }) => {
        await publish(Marked, { n, ok: true }, { id: "own", headers: { "x-a": "1" } });
        await publish(Marked, { n, ok: false });
      }),
    ]);
    assert.equal(verdict(await deliver(1)), "done");
    const [first, second] = transport.messages;
    assert.deepEqual([first?.id, first?.headers["x-a"], second?.body], [
      "own",
      "1",
      `{"n":1,"ok":false}`,
    ]);
    assert.match(second?.id ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  it("cannot be delayed, for there is nowhere to keep it", async () => {
    const { deliver, observed } = stateless([
      subscribe(Placed, { group: "g" }, async (_, { publish }) => {
        await publish(Marked, { n: 1, ok: true }, { delayMs: 5 });
      }),
    ]);
    assert.equal(verdict(await deliver(1)), "again after 5 s");
    assert.match(observed.all("retrying")[0]?.reason ?? "", /there is no store/);
  });

  it("wants a transport, without which nothing is begun that asks for a reply", async () => {
    let runs = 0;
    const app = createStatelessApp([
      subscribe(Deduct, { group: "g" }, ({ n }) => {
        runs++;
        return { n, ok: true };
      }),
    ], { verify: () => ({ ok: true, principal: OWN_SERVICES }) });
    const post = (headers: Record<string, string>) =>
      app.request("/deliver", {
        method: "POST",
        headers: { "cap-msg-id": "m", "content-type": "application/json", ...headers },
        body: `{"n":1}`,
      });
    assert.equal((await post(asking)).status, 489);
    assert.equal(runs, 0);
    assert.equal(verdict(await post({ "cap-msg-name": Deduct.name })), "done");
    assert.equal(runs, 1);
  });

  it("is word of a failure for good, to whoever asked for it", async () => {
    const { deliver, transport } = stateless([failing(() => new NonRetryable("No stock"))]);
    const asked = { "atlast-failure-callback-name": "order.stuck" };
    transport.sender = () => refusal("Busy");
    const refused = await deliver(1, asked);
    assert.equal(verdict(refused), "again (503)");
    assert.equal(refused.headers.get("atlast-publisher-notified"), null);
    transport.sender = () => SENT;
    const told = await deliver(2, asked);
    assert.equal(verdict(told), "never again");
    assert.equal(told.headers.get("atlast-publisher-notified"), "true");
    const [, word] = transport.messages;
    assert.equal(word?.id, await answerOf("failure", "g"));
    assert.deepEqual(JSON.parse(String(word?.body)), {
      messageId: "m-1",
      name: Placed.name,
      group: "g",
      code: "handler_failed",
      reason: "The handler failed",
      attempts: 2,
      round: 1,
    });
    // One who does not count learns of it from the answer, and tells the publisher itself.
    const untold = await deliver(null, asked);
    assert.equal(untold.status, 489);
    assert.equal(untold.headers.get("atlast-publisher-notified"), null);
    assert.equal(transport.messages.length, 2);
  });
});

describe("a bus and a subscriber without a store", () => {
  it("settle every message over signed HTTP, callbacks and failures included", async () => {
    const signingKeys = [KEY];
    const verify = verifySignature({ signingKeys });
    const Stuck = defineMessage("order.stuck", { body: failureReport });
    const replies: unknown[] = [];
    let tries = 0;
    let orders: App;
    let stock: App;
    // One server for both sides, told apart by path.
    const server = await serve((request) => {
      const app = new URL(request.url).pathname.startsWith("/stock") ? stock : orders;
      return app.fetch(request);
    });
    try {
      const route = (path: string) => `${server.origin}${path}/deliver`;
      const transport = httpTransport({
        routes: { [Deduct.name]: route("/stock"), "order.#": route("/orders") },
        signingKeys,
      });
      const clock = new ManualClock();
      const { bus } = fixture([
        subscribe(Marked, { group: "orders" }, (body) => void replies.push(body)),
        subscribe(Stuck, { group: "orders" }, ({ reason }) => void replies.push(reason)),
      ], { transport, clock, retry: { kind: "fixed", delayMs: 1_000, maxAttempts: 9 } });
      orders = createApp(bus, { verify, basePath: "/orders" });
      stock = createStatelessApp([
        subscribe(Deduct, { group: "stock" }, ({ n }) => {
          if (n === 1 && ++tries < 3) throw new Error("Not yet");
          if (n === 2) throw new NonRetryable("Never");
          return { n, ok: true };
        }),
      ], { verify, transport, service: "stock", basePath: "/stock" });
      await bus.publishMany(Deduct, [{ n: 0 }, { n: 1 }, { n: 2 }], {
        callback: Marked,
        failureCallback: Stuck,
      });
      for (let round = 0; round < 4; round++) {
        await bus.tick();
        clock.advance(1_000);
      }
      await bus.tick();
      const { succeeded, failed, scheduled } = await bus.store.count("outbox");
      assert.deepEqual({ succeeded, failed, scheduled }, { succeeded: 2, failed: 1, scheduled: 0 });
      assert.equal(replies.length, 3);
      assert.deepEqual(replies.filter((reply) => typeof reply === "object"), [
        { n: 0, ok: true },
        { n: 1, ok: true },
      ]);
      assert.match(String(replies.find((reply) => typeof reply === "string")), /never accept it/);
      await bus.stop();
    } finally {
      await server.close();
    }
  });
});

/** The id of an answer to m-1. */
function answerOf(kind: "reply" | "failure", group: string): Promise<string> {
  return answerId({ kind, requestId: "m-1", responder: "stateless", group, round: 1 });
}

describe("the redact option of a subscriber without a store", () => {
  it("holds for what its observer and the publisher are told", async () => {
    const words = () => {
      throw new NonRetryable("of secret");
    };
    const passing = () => {
      throw new Error("of secret");
    };
    const Stuck = defineMessage("order.stuck", { body: failureReport });
    for (const handler of [words, passing]) {
      const { deliver, observed, transport } = stateless(
        [subscribe(Placed, { group: "g" }, handler)],
        {
          redact: (text) => text.replaceAll("secret", "***"),
          failureDetail: "reason",
          callbackNames: ["#"],
        },
      );
      await deliver(1, { "atlast-failure-callback-name": Stuck.name });
      const kind = handler === words ? "failed" : "retrying";
      assert.match(observed.all(kind)[0]?.reason ?? "", /of \*\*\*/);
      assert.equal(transport.messages.length, handler === words ? 1 : 0);
      assert.doesNotMatch(JSON.stringify([observed.events, transport.messages]), /secret/);
    }
  });
});
