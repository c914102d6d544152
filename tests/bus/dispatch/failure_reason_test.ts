import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { type } from "arktype";
import * as v from "valibot";
import * as z from "zod";
import { handOver } from "../../../adapters/upstash_redis/stream/hand_over.ts";
import { answerId } from "../../../bus/settings/ids.ts";
import { MAX_CRASHES } from "../../../core/lifecycle/lifecycle.ts";
import type { Message } from "../../../core/message/message.ts";
import {
  BATCH_CONTENT_TYPE,
  batchItem,
  batchOf,
  QUERY_CONTENT_TYPE,
} from "../../../core/wire/wire.ts";
import { createApp } from "../../../edge/mod.ts";
import { createStatelessApp } from "../../../edge/stateless/mod.ts";
import {
  type BusOptions,
  ContractError,
  defineMessage,
  type FailureReport,
  failureReport,
  HEADER,
  NonRetryable,
  type Schema,
  subscribe,
} from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { quiet } from "../../support/gate.ts";
import { FakeStream } from "../../support/fake_stream.ts";
import { FakeTransport, SENT } from "../../support/fake_transport.ts";
import { pushed } from "../../support/pushed.ts";
import { wrapped } from "../../support/wrapped_store.ts";
import { memoryStore } from "../../../adapters/memory/mod.ts";

const SECRET = "hunter2";
const WORDS = `postgres://shop:${SECRET}@db.internal/shop is down`;
const Stuck = defineMessage("order.stuck", { body: failureReport });
const headers = { [HEADER.failureCallbackName]: Stuck.name };

/** All that a message says. */
function everything(message: Message | undefined): string {
  assert.ok(message !== undefined, "no message");
  return JSON.stringify(message);
}

function reportOf(message: Message | undefined): FailureReport {
  return JSON.parse(String(message?.body));
}

/** Delivers a message to a handler that fails so, and gives back its failure callback. */
async function toldOf(
  thrown: () => unknown,
  options: Partial<Pick<BusOptions<Tx>, "failureDetail" | "redact" | "retry">> = {},
) {
  const transport = new FakeTransport();
  const parts = fixture([
    subscribe(Placed, { group: "g" }, () => {
      throw thrown();
    }),
  ], { transport, ...options });
  await parts.bus.deliver([arriving("m", { headers })]);
  await parts.bus.tick();
  const record = await parts.store.find("inbox", { id: "m", group: "g" });
  return { ...parts, record, word: transport.messages[0] };
}

describe("the words of a handler's error", () => {
  it("stay here: a failure callback carries a class", async () => {
    const { word, record, observed } = await toldOf(() => new NonRetryable(WORDS));
    assert.doesNotMatch(everything(word), /hunter2|internal|NonRetryable/);
    assert.equal(word?.headers[HEADER.exception], "handler_failed-->The handler failed");
    const { code, reason } = reportOf(word);
    assert.deepEqual([code, reason], ["handler_failed", "The handler failed"]);
    // The operator sees them.
    assert.equal(record?.reason, `NonRetryable-->${WORDS}`);
    assert.equal(observed.all("failed")[0]?.reason, `NonRetryable-->${WORDS}`);
  });

  it("go out where an option says so", async () => {
    const { word } = await toldOf(() => new NonRetryable(WORDS), { failureDetail: "reason" });
    assert.equal(reportOf(word).reason, `NonRetryable-->${WORDS}`);
    assert.equal(reportOf(word).code, "handler_failed");
    assert.match(word?.headers[HEADER.exception] ?? "", /hunter2/);
    assert.throws(() => fixture([], { failureDetail: "all" as "class" }), {
      code: "invalid_option",
    });
  });

  it("stay here when the transport fails", async () => {
    const never = { kind: "failed", reason: WORDS, retryable: false } as const;
    for (const sender of [() => never, () => Promise.reject(new NonRetryable(WORDS))]) {
      const transport = new FakeTransport(({ name }) => name === Placed.name ? sender() : SENT);
      const { bus, store } = fixture([], {
        transport,
        retry: { kind: "fixed", delayMs: 0, maxAttempts: 1 },
      });
      await bus.publish(Placed, { n: 1 }, { id: "m", failureCallback: Stuck });
      await bus.tick();
      await bus.tick();
      const word = transport.messages.find(({ name }) => name === Stuck.name);
      assert.doesNotMatch(everything(word), /hunter2|internal/);
      assert.ok(["rejected", "send_failed"].includes(reportOf(word).code));
      const record = await store.find("outbox", { id: "m", group: "" });
      assert.match(record?.reason ?? "", /hunter2/);
    }
  });

  it("are in no answer of the edge app, whoever delivers", async () => {
    const { bus, app } = answering();
    for (const by of ["anyone", "QStash"]) {
      for (const form of ["raw", "batch"]) {
        const id = `${by}-${form}`;
        const response = await app.request("/deliver", delivery(id, form, by));
        const text = await response.text();
        assert.doesNotMatch(text + inspect([...response.headers]), /hunter2|internal|Error/, text);
        // Again, when it is known to have failed.
        const again = await app.request("/deliver", delivery(id, form, by));
        assert.doesNotMatch(await again.text(), /hunter2|internal/);
      }
    }
    await bus.tick();
    const query = await app.request("/query", {
      method: "POST",
      headers: { "content-type": QUERY_CONTENT_TYPE },
      body: JSON.stringify({ operation: "query", id: "out", message: true }),
    });
    assert.equal(query.status, 200);
    assert.doesNotMatch(await query.text(), /hunter2|internal/);
  });

  it("are in no answer or callback of a subscriber without a store", async () => {
    const transport = new FakeTransport();
    const app = createStatelessApp([failing], {
      verify: pushed,
      transport,
      service: "stateless",
      retry: { kind: "fixed", delayMs: 0, maxAttempts: 9 },
    });
    for (const by of ["anyone", "QStash"]) {
      for (const form of ["raw", "batch"]) {
        const response = await app.request("/deliver", delivery(`${by}-${form}`, form, by));
        assert.doesNotMatch(await response.text(), /hunter2|internal|Error/);
      }
    }
    assert.equal(transport.messages.length, 2);
    for (const word of transport.messages) {
      assert.doesNotMatch(everything(word), /hunter2|internal/);
      assert.equal(reportOf(word).code, "handler_failed");
    }
  });

  it("of a receiver are not kept in a stream that services share", async () => {
    const [handed] = await handOver(
      [arriving("m")],
      () => Promise.reject(new Error(WORDS)),
      new AbortController().signal,
    );
    assert.doesNotMatch(inspect(handed), /hunter2|internal/);
    // The operator of the receiver sees them.
    const wrapping = wrapped(memoryStore());
    wrapping.around = async (method, call) => {
      if (method === "add") throw new Error(WORDS);
      return await call();
    };
    const stream = new FakeStream(["g"]);
    const transport = stream.transport("g");
    const { bus, observed } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      transport,
      store: wrapping.store,
    });
    await transport.send([arriving("m")], new AbortController().signal);
    await bus.tick();
    const [error] = observed.all("error", { during: "deliver" });
    assert.match(String(error?.error), /hunter2/);
  });

  const failing = subscribe(Placed, { group: "g" }, () => {
    throw new NonRetryable(WORDS);
  });

  /** An app whose handler fails, and whose outbox has a message `out` that failed. */
  function answering() {
    const transport = new FakeTransport(() => ({
      kind: "failed",
      reason: WORDS,
      retryable: false,
    }));
    const parts = fixture([failing], { transport });
    const app = createApp(parts.bus, { verify: pushed, query: { verify: pushed } });
    return {
      ...parts,
      app: {
        async request(path: string, init: RequestInit) {
          await parts.bus.publish(Marked, { n: 1, ok: true }, { id: "out" });
          return await app.request(path, init);
        },
      },
    };
  }

  function delivery(id: string, form: string, by: string): RequestInit {
    const pushing = by === "QStash"
      ? { "upstash-message-id": "msg_1", "upstash-retried": "0" }
      : {} as Record<string, string>;
    const message = arriving(id, { headers });
    if (form === "batch") {
      return {
        method: "POST",
        headers: { "content-type": BATCH_CONTENT_TYPE, ...pushing },
        body: batchOf([batchItem(message)]),
      };
    }
    return {
      method: "POST",
      headers: {
        "cap-msg-id": id,
        "cap-msg-name": message.name,
        "content-type": message.contentType,
        ...headers,
        ...pushing,
      },
      body: String(message.body),
    };
  }
});

describe("the class of a failure", () => {
  it("of a handler says what it did", async () => {
    const timeout = await toldOf(() => new Error(WORDS), {
      retry: { kind: "fixed", delayMs: 0, maxAttempts: 1 },
    });
    assert.equal(reportOf(timeout.word).code, "handler_failed");
    const never = fixture([
      subscribe(Placed, { group: "g", timeoutMs: 10 }, () => new Promise(() => {})),
    ], {
      transport: new FakeTransport(),
      retry: { kind: "fixed", delayMs: 0, maxAttempts: 1 },
    });
    const delivered = never.bus.deliver([arriving("m", { headers })]);
    await never.observed.until("received");
    while ((await never.store.find("inbox", { id: "m", group: "g" }))?.state !== "failed") {
      never.clock.advance(10);
      await quiet();
    }
    await delivered;
    await never.bus.tick();
    const transport = never.transport as FakeTransport;
    assert.equal(reportOf(transport.messages[0]).code, "timed_out");
  });

  it("of a reply that does not fit is the handler's, and of a body that does not is the body's", async () => {
    const transport = new FakeTransport();
    const { bus } = fixture([
      subscribe(Deduct, { group: "g" }, ({ n }) => ({ n, ok: SECRET as unknown as boolean })),
    ], { transport });
    await bus.deliver([
      arriving("m", { name: Deduct.name, headers }),
      arriving("n", { name: Deduct.name, headers, body: `{"n":"${SECRET}"}` }),
      arriving("o", { name: Deduct.name, headers, body: `{"n":${SECRET}` }),
    ]);
    await bus.tick();
    const codes = transport.messages.map((word) => [reportOf(word).messageId, reportOf(word).code]);
    assert.deepEqual(Object.fromEntries(codes), {
      m: "handler_failed",
      n: "invalid_body",
      o: "invalid_body",
    });
    for (const word of transport.messages) assert.doesNotMatch(everything(word), /hunter2/);
  });

  it("of what was not tried any more says why", async () => {
    const transport = new FakeTransport();
    const { bus, store, clock } = fixture([
      subscribe(Placed, { group: "g" }, () => {}),
    ], { transport, unroutableForMs: 60_000 });
    // A deadline that passed, workers that died, and no route.
    await bus.publish(Placed, { n: 1 }, { id: "late", deadlineMs: 5, failureCallback: Stuck });
    await bus.publish(Placed, { n: 1 }, { id: "deadly", failureCallback: Stuck, delayMs: 10 });
    transport.unknown.add("nowhere");
    clock.advance(10);
    for (let crash = 0; crash <= MAX_CRASHES; crash++) {
      await store.claim({
        box: "outbox",
        limit: 1,
        nowMs: clock.now(),
        leaseUntilMs: clock.now() + 1,
        kind: crash < 2 ? "ready" : "alone",
        key: { id: "deadly", group: "" },
      });
      clock.advance(2);
    }
    await bus.tick();
    await bus.tick();
    const reports = transport.messages.filter(({ name }) => name === Stuck.name).map(reportOf);
    assert.deepEqual(
      Object.fromEntries(reports.map(({ messageId, code }) => [messageId, code])),
      { late: "deadline_exceeded", deadly: "crash_limit" },
    );
  });

  it("of another version's report is unknown, and its round the first", async () => {
    const old = { messageId: "m", name: "a", group: "", reason: "410 gone", attempts: 1 };
    const read = await failureReport["~standard"].validate(old);
    assert.deepEqual(read, { value: { ...old, code: "unknown", round: 1 } });
    const newer = { ...old, code: "melted", round: 3 };
    const again = await failureReport["~standard"].validate(newer);
    assert.deepEqual(again, { value: { ...old, code: "unknown", round: 3 } });
  });
});

/** Bodies that hold a secret where it does not fit, by schemas that quote what they refuse. */
const SCHEMAS: Readonly<Record<string, Schema<unknown>>> = {
  zod: z.object({
    state: z.enum(["open"]),
    list: z.array(z.string().refine((s) => s === "ok", { error: (iss) => `got ${iss.input}` })),
  }) as Schema<unknown>,
  valibot: v.object({ state: v.picklist(["open"]), list: v.array(v.literal("ok")) }) as Schema<
    unknown
  >,
  arktype: type({ state: "'open'", list: type("'ok'").array() }) as unknown as Schema<unknown>,
};
const WRONG = { state: SECRET, list: ["ok", SECRET] };

for (const [library, schema] of Object.entries(SCHEMAS)) {
  describe(`values of a body that ${library} refuses`, () => {
    const Order = defineMessage("order.opened", { body: schema, reply: schema });

    it("are in no reason, event, callback or answer", async () => {
      for (const failureDetail of ["class", "reason"] as const) {
        const transport = new FakeTransport();
        const parts = fixture([
          subscribe(Order, { group: "g" }, () => ({ state: SECRET, list: [SECRET] })),
        ], { transport, failureDetail });
        const fits = { state: "open", list: ["ok"] };
        const asking = { ...headers, [HEADER.callbackName]: "order.marked" };
        await parts.bus.deliver([
          arriving("body", { name: Order.name, headers: asking, body: JSON.stringify(WRONG) }),
          arriving("reply", { name: Order.name, headers: asking, body: JSON.stringify(fits) }),
        ]);
        await parts.bus.tick();
        for (const id of ["body", "reply"]) {
          const record = await parts.store.find("inbox", { id, group: "g" });
          assert.equal(record?.state, "failed");
          // The places are there, in words of our own.
          assert.match(record.reason ?? "", /^ContractError-->Cannot accept the /);
          for (const place of [/\bstate\b/, /\blist\[[01]\]/]) {
            assert.match(record.reason ?? "", place);
          }
          assert.doesNotMatch(record.reason ?? "", /hunter2/);
        }
        assert.doesNotMatch(inspect(parts.observed.events, { depth: 9 }), /hunter2/);
        assert.deepEqual(
          transport.messages.map((word) => [reportOf(word).messageId, reportOf(word).code]).sort(),
          [["body", "invalid_body"], ["reply", "handler_failed"]],
        );
        assert.doesNotMatch(transport.messages.map(everything).join(), /hunter2/);
      }
    });

    it("are in no answer of the publish route", async () => {
      const { bus } = fixture([], { transport: new FakeTransport() });
      const app = createApp(bus, {
        verify: pushed,
        publish: { verify: pushed, contracts: [Order] },
      });
      const response = await app.request("/publish", {
        method: "POST",
        headers: {
          "cap-msg-id": "m",
          "cap-msg-name": Order.name,
          "content-type": "application/json",
        },
        body: JSON.stringify(WRONG),
      });
      assert.equal(response.status, 400);
      const text = await response.text();
      assert.match(text, /list\[1\]/);
      assert.doesNotMatch(text, /hunter2/);
    });

    it("are for whoever has the body, and in nothing that a log prints of the error", async () => {
      const { bus } = fixture([], { transport: new FakeTransport() });
      await assert.rejects(bus.publish(Order, WRONG), (error) => {
        assert.ok(error instanceof ContractError);
        assert.deepEqual(error.problems.map(({ path }) => path).sort(), ["list[1]", "state"]);
        const words = new Map(error.problems.map(({ path, message }) => [path, message]));
        if (library !== "zod") assert.match(words.get("state") ?? "", /hunter2/);
        assert.match(words.get("list[1]") ?? "", /hunter2/);
        const printed = [String(error), error.stack, inspect(error, { showHidden: true })];
        assert.doesNotMatch(printed.join() + JSON.stringify(error), /hunter2/);
        return true;
      });
    });
  });
}

describe("the redact option", () => {
  const redact = (text: string) => text.replaceAll(SECRET, "***");

  it("takes out of what is stored and observed what must not be there", async () => {
    const { record, observed, word } = await toldOf(() => new NonRetryable(WORDS), {
      redact,
      failureDetail: "reason",
    });
    assert.match(record?.reason ?? "", /shop:\*\*\*@db/);
    assert.match(observed.all("failed")[0]?.reason ?? "", /shop:\*\*\*@db/);
    assert.match(reportOf(word).reason, /shop:\*\*\*@db/);
    assert.doesNotMatch(inspect(observed.events, { depth: 9 }), /hunter2/);
  });

  it("is given the errors of events too", async () => {
    const wrapping = wrapped(memoryStore());
    const { bus, observed } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      store: wrapping.store,
      redact,
    });
    wrapping.around = async (method, call) => {
      if (method === "settle" || method === "transaction") throw new TypeError(WORDS);
      return await call();
    };
    await bus.deliver([arriving("m")]);
    const errors = observed.all("error");
    const texts = [...errors.map(({ error }) => inspect(error)), inspect(observed.events)];
    assert.ok(texts.some((text) => text.includes("***")), texts.join());
    assert.doesNotMatch(texts.join(), /hunter2/);
  });

  it("withholds what it throws at, or gives no text for, and harms nothing", async () => {
    const bad: ((text: string) => string)[] = [
      () => {
        throw new Error(SECRET);
      },
      () => undefined as unknown as string,
      () => Symbol("x") as unknown as string,
    ];
    for (const redact of bad) {
      const { record, observed } = await toldOf(() => new NonRetryable(WORDS), { redact });
      assert.deepEqual([record?.state, record?.attempts], ["failed", 1]);
      assert.match(record?.reason ?? "", /^Withheld/);
      assert.doesNotMatch(inspect(observed.events, { depth: 9 }), /hunter2/);
    }
  });
});

describe("a message with the id of an answer that is refused", () => {
  it("is told of without its body", async () => {
    const { bus, observed } = fixture([subscribe(Marked, { group: "g" }, () => {})]);
    const id = await answerId({
      kind: "reply",
      requestId: "r",
      responder: "s",
      group: "g",
      round: 1,
    });
    await bus.deliver([arriving(id, { name: Marked.name, body: SECRET })]);
    assert.equal(observed.all("error", { during: "deliver" }).length, 1);
    assert.doesNotMatch(inspect(observed.events, { depth: 9 }), /hunter2/);
  });
});
