import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import {
  type DeadLetter,
  defineMessage,
  type FailureReport,
  failureReport,
  NonRetryable,
  RetryAfter,
  type RetryPolicy,
  subscribe,
} from "../../../mod.ts";
import { qstashTransport } from "../../../adapters/qstash/mod.ts";
import { verifyQstash } from "../../../adapters/qstash/verify.ts";
import { createApp } from "../../../edge/mod.ts";
import { createStatelessApp } from "../../../edge/stateless/mod.ts";
import { FakeReceiver } from "../../support/fake_receiver.ts";
import { testMessage } from "../../support/http.ts";
import { virtualQstash } from "../../support/qstash.ts";
import { wireHeaders } from "../../../core/message/headers.ts";
import { pushed, SIGNED_AT_MS } from "../../support/pushed.ts";
import { Gate } from "../../support/gate.ts";
import {
  INVENTORY,
  ORDERS,
  qstashWorld,
  type World,
  type WorldOptions,
} from "../../support/qstash_world.ts";

const Deduct = defineMessage("stock.deduct", { body: z.object({ n: z.number() }) });
const Marked = defineMessage("order.marked", { body: z.object({ n: z.number() }) });
const DeductAndMark = defineMessage("stock.deduct", {
  body: z.object({ n: z.number() }),
  reply: Marked.body,
});
const Stuck = defineMessage("order.stuck", { body: failureReport });

const TWICE: RetryPolicy = { kind: "list", delaysMs: [3_000, 90_000] };
const DAY_MS = 24 * 3_600_000;
const KEY = { id: "m", group: "" };

/** Runs a test in a world of its own. */
async function within(options: WorldOptions, run: (world: World) => Promise<void>): Promise<void> {
  const world = await qstashWorld(options);
  try {
    await run(world);
  } finally {
    await world.close();
  }
}

/** A handler of inventory that ends as `how` says for each run, and when it ran. */
function runs(how: readonly (() => void)[], retry: RetryPolicy = TWICE) {
  const atMs: number[] = [];
  let world: World | undefined;
  const subscriber = subscribe(Deduct, { group: "inventory", retry }, () => {
    atMs.push(world?.qstash.clock.now() ?? NaN);
    how[atMs.length - 1]?.();
  });
  return { atMs, inventory: [subscriber], in: (own: World) => void (world = own) };
}

const fails = () => {
  throw new Error("no");
};
const never = () => {
  throw new NonRetryable("never");
};

async function publish({ orders, qstash }: World, options = {}): Promise<void> {
  await orders.bus.publish(Deduct, { n: 1 }, { id: "m", ...options });
  await orders.bus.flush();
  await qstash.emulator.settled();
}

describe("a bus with a store, delivered to by QStash", () => {
  it("has its own policy drive the redeliveries, and handles the message once", async () => {
    const handler = runs([fails, fails]);
    await within(handler, async (world) => {
      handler.in(world);
      const startMs = world.qstash.clock.now();
      await publish(world);
      await world.qstash.emulator.drain();
      assert.deepEqual(handler.atMs.map((ms) => ms - startMs), [0, 3_000, 93_000]);
      assert.deepEqual(
        world.answers.map(({ response }) => [response.status, response.headers.get("retry-after")]),
        [[503, "3"], [503, "90"], [200, null]],
      );
      assert.equal((await world.orders.store.find("outbox", KEY))?.state, "succeeded");
      const inbox = { id: "m", group: "inventory" };
      const record = await world.inventory.store.find("inbox", inbox);
      assert.deepEqual([record?.state, record?.attempts], ["succeeded", 3]);
    });
  });

  it("honours a handler's own wish, to the second and for at most a day", async () => {
    const later = (ms: number) => () => {
      throw new RetryAfter(ms);
    };
    const handler = runs([later(1), later(2 * DAY_MS)], { kind: "list", delaysMs: [0, 0] });
    await within(handler, async (world) => {
      handler.in(world);
      const startMs = world.qstash.clock.now();
      await publish(world);
      await world.qstash.emulator.drain();
      // A delivery that comes after a day finds it is not due, and asks for the rest.
      assert.deepEqual(
        world.answers.map(({ response }) => response.headers.get("retry-after")),
        ["1", "86400", "86400", null],
      );
      assert.deepEqual(handler.atMs.map((ms) => ms - startMs), [0, 1_000, 1_000 + 2 * DAY_MS]);
    });
  });

  it("is not handled again when QStash delivers it again", async () => {
    const handler = runs([]);
    const emulator = {
      faults: { delivery: ({ count }: { count: number }) => count === 1 ? DUPLICATE : undefined },
    };
    await within({ ...handler, emulator }, async (world) => {
      handler.in(world);
      await publish(world);
      await world.qstash.emulator.drain();
      assert.equal(handler.atMs.length, 1);
      assert.equal(world.qstash.deliveries.length, 2);
    });
  });

  it("asks a delivery that finds it being handled to come when the lease is over", async () => {
    const gate = new Gate();
    const inventory = [subscribe(Deduct, { group: "inventory" }, () => gate.pass())];
    await within({ inventory }, async (world) => {
      const { qstash, orders } = world;
      await orders.bus.publish(Deduct, { n: 1 }, { id: "m" });
      await orders.bus.flush();
      const first = qstash.emulator.settled();
      await gate.reached();
      const [delivery] = qstash.deliveries;
      const again = await world.inventory.app.fetch(
        new Request(delivery!.url, {
          method: "POST",
          headers: delivery!.headers,
          body: delivery!.body as BodyInit,
        }),
      );
      assert.deepEqual([again.status, again.headers.get("retry-after")], [503, "60"]);
      gate.open();
      await first;
      assert.equal(gate.arrived, 1);
    });
  });

  it("takes a message over that its loops will handle", async () => {
    const handler = runs([]);
    await within(handler, async (world) => {
      handler.in(world);
      await world.inventory.bus.start();
      await publish(world);
      assert.deepEqual(world.answers.map(({ response }) => response.status), [202]);
      await world.inventory.observed.until("succeeded", { box: "inbox" });
    });
  });

  it("sends callbacks back through QStash", async () => {
    const marked: number[] = [];
    await within({
      inventory: [subscribe(DeductAndMark, { group: "inventory" }, ({ n }) => ({ n }))],
      orders: [subscribe(Marked, { group: "orders" }, ({ n }) => void marked.push(n))],
    }, async (world) => {
      await world.orders.bus.publish(DeductAndMark, { n: 7 }, { callback: Marked });
      await world.orders.bus.flush();
      await world.qstash.emulator.settled();
      await world.inventory.bus.flush();
      await world.qstash.emulator.settled();
      assert.deepEqual(marked, [7]);
    });
  });

  it("goes on when the keys rotate between two attempts", async () => {
    const handler = runs([fails]);
    await within(handler, async (world) => {
      handler.in(world);
      await publish(world);
      world.qstash.emulator.rotateKeys();
      await world.qstash.emulator.drain();
      assert.deepEqual(world.answers.map(({ response }) => response.status), [503, 200]);
      world.qstash.emulator.rotateKeys();
      await publish(world, { id: "after" });
      assert.equal(world.answers.at(-1)?.response.status, 401);
    });
  });
});

const DUPLICATE = { kind: "duplicate" } as const;

/** What QStash asks as itself. */
const AS_QSTASH = { "upstash-message-id": "msg_1" };

describe("what QStash gives up", () => {
  it("when the policy ends, or at once: is failed on both sides, and its publisher told once", async () => {
    for (const how of [[fails, fails, fails], [never]]) {
      const handler = runs(how);
      const reports: FailureReport[] = [];
      const orders = [subscribe(Stuck, { group: "orders" }, (report) => void reports.push(report))];
      await within({ ...handler, orders }, async (world) => {
        handler.in(world);
        await publish(world, { failureCallback: Stuck });
        await world.qstash.emulator.drain();
        const answers = world.answers.filter(({ path }) => path === "/deliver");
        assert.equal(answers.length, how.length);
        const last = answers.at(-1)?.response;
        assert.equal(last?.status, 489);
        assert.equal(last?.headers.get("upstash-nonretryable-error"), "true");
        const record = await world.orders.store.find("outbox", KEY);
        assert.equal(record?.state, "failed");
        assert.match(
          record?.reason ?? "",
          /^QStash dead-lettered it after \d attempts: inventory\.example answered 489 \(DLQ id \S+\)$/,
        );
        // Inventory tells, as it keeps the failure; orders does not tell a second time.
        await world.inventory.bus.flush();
        await world.qstash.emulator.drain();
        await world.orders.bus.tick();
        assert.deepEqual(reports.map(({ group }) => group), ["inventory"]);
      });
    }
  });

  it("because nobody answers: its publisher is told by its own bus", async () => {
    const reports: FailureReport[] = [];
    const emulator = {
      faults: {
        delivery: ({ url }: { url: string }) =>
          url.startsWith(INVENTORY) ? { kind: "request_lost" } as const : undefined,
      },
    };
    await within({
      emulator,
      orders: [subscribe(Stuck, { group: "orders" }, (report) => void reports.push(report))],
      transport: { retry: { kind: "fixed", delayMs: 1_000, maxAttempts: 2 } },
    }, async (world) => {
      await publish(world, { failureCallback: Stuck });
      await world.qstash.emulator.drain();
      await world.orders.bus.tick();
      assert.equal(reports[0]?.group, "");
      assert.equal(reports[0]?.code, "dead_lettered");
      const record = await world.orders.store.find("outbox", KEY);
      assert.match(record?.reason ?? "", /inventory\.example did not answer/);
    });
  });

  it("is tried again by an operator's retry, within the time that QStash remembers it", async () => {
    const handler = runs([never]);
    await within(handler, async (world) => {
      handler.in(world);
      const { orders, qstash } = world;
      await publish(world);
      assert.equal((await orders.store.find("outbox", KEY))?.state, "failed");
      // QStash says to the second when it delivers.
      qstash.clock.advance(1_000);
      await orders.bus.retry({ box: "outbox", id: "m" });
      await orders.bus.flush();
      await qstash.emulator.drain();
      assert.equal(handler.atMs.length, 2);
      assert.equal((await orders.store.find("outbox", KEY))?.state, "succeeded");
      const inbox = await world.inventory.store.find("inbox", { id: "m", group: "inventory" });
      assert.equal(inbox?.state, "succeeded");
      assert.deepEqual((await qstash.client.dlq.listMessages()).messages, []);
    });
  });

  it("is tried again by an operator's retry after that time, too", async () => {
    const handler = runs([never]);
    await within(handler, async (world) => {
      handler.in(world);
      await publish(world);
      await world.qstash.emulator.advance(11 * 60_000);
      await world.orders.bus.retry({ box: "outbox", id: "m" });
      await world.orders.bus.flush();
      await world.qstash.emulator.drain();
      assert.equal(handler.atMs.length, 2);
    });
  });

  it("can be taken out of the DLQ by its id there", async () => {
    const handler = runs([never]);
    await within(handler, async (world) => {
      handler.in(world);
      await publish(world);
      const { messages: [dead] } = await world.qstash.client.dlq.listMessages();
      const { transport } = world.orders;
      world.qstash.clock.advance(1_000);
      const messageId = await transport.retryFromDlq(dead!.dlqId);
      assert.match(messageId, /^msg_/);
      assert.notEqual(messageId, dead!.messageId);
      await world.qstash.emulator.drain();
      assert.equal(handler.atMs.length, 2);
      assert.deepEqual((await world.qstash.client.dlq.listMessages()).messages, []);
      await assert.rejects(transport.retryFromDlq("1-0"), { code: "not_found" });
    });
  });

  for (
    const [name, id, headers] of [
      ["a plain id", "m", {}],
      ["an id with colons and letters that are not Latin", "bestellung:ü:日本", { "x-a": "日本" }],
    ] as const
  ) {
    it(`after the outbox has forgotten it is kept there again, with ${name}`, async () => {
      const handler = runs([never]);
      let isUp = false;
      const emulator = {
        faults: { delivery: () => isUp ? undefined : { kind: "request_lost" } as const },
      };
      await within({ ...handler, emulator }, async (world) => {
        handler.in(world);
        const { orders, qstash } = world;
        await publish(world, { id, headers });
        const before = (await orders.store.find("outbox", { id, group: "" }))?.message;
        // Long enough for the outbox to forget it, while nobody answers.
        await orders.bus.tick();
        qstash.clock.advance(DAY_MS + 3_600_000);
        await orders.bus.tick();
        assert.equal(await orders.store.find("outbox", { id, group: "" }), null);
        isUp = true;
        await qstash.emulator.drain();
        const record = await orders.store.find("outbox", { id, group: "" });
        assert.equal(record?.state, "failed");
        assert.ok(record !== null && before !== undefined);
        // With the headers that every message has on the wire.
        assert.deepEqual(record.message, { ...before, headers: record.message.headers });
        assert.deepEqual(wireHeaders(record.message), wireHeaders(before));
      });
    });
  }

  it("is quoted with what the destination answered, on one line, if that is asked for", async () => {
    const reports: DeadLetter[] = [];
    const bus = Object.assign(new FakeReceiver(), {
      deadLetter: (report: DeadLetter) => {
        reports.push(report);
        return Promise.resolve("failed" as const);
      },
    });
    const app = createApp(bus, {
      verify: () => ({ ok: true }),
      deadLetters: { quotesAnswer: true, verify: pushed },
    });
    const sourceHeader = { "X-Atlast-Sent": ["1 a%3Ab"] };
    const callback = { dlqId: "1-0", status: 500, body: btoa("no\n room"), sourceHeader };
    const response = await app.request("/dead-letter", {
      method: "POST",
      headers: AS_QSTASH,
      body: JSON.stringify(callback),
    });
    assert.deepEqual(await response.json(), { id: "a:b", standing: "failed" });
    assert.deepEqual(reports, [{
      id: "a:b",
      reason: "QStash dead-lettered it: its destination answered 500 (DLQ id 1-0): no  room",
      isPublisherNotified: false,
      saidAtMs: SIGNED_AT_MS,
    }]);
  });

  it("comes with the message only if that is whole, and the one that was given up", async () => {
    const none = [undefined, undefined, undefined];
    const reports: DeadLetter[] = [];
    const bus = Object.assign(new FakeReceiver(), {
      deadLetter: (report: DeadLetter) => {
        reports.push(report);
        return Promise.resolve("unknown" as const);
      },
    });
    const app = createApp(bus, { verify: () => ({ ok: true }), deadLetters: { verify: pushed } });
    for (const [id, text] of [["m", "{}"], ["m", "{"], ["m", "{} "], ["other", "{}"]] as const) {
      const sourceHeader = {
        "X-Atlast-Sent": ["2 m"],
        "Cap-Msg-Id": [id],
        "Cap-Msg-Name": ["order.placed"],
        "Content-Type": ["application/json"],
      };
      const body = JSON.stringify({ dlqId: "1-0", sourceHeader, sourceBody: btoa(text) });
      await app.request("/dead-letter", { method: "POST", headers: AS_QSTASH, body });
    }
    assert.deepEqual(reports.map(({ id }) => id), ["m", "m", "m", "m"]);
    assert.deepEqual(reports.map(({ message }) => message?.id), ["m", ...none]);
  });

  it("is wanted again later while the message is being sent", async () => {
    const bus = Object.assign(new FakeReceiver(), {
      deadLetter: () => Promise.resolve("sending" as const),
    });
    const app = createApp(bus, { verify: () => ({ ok: true }), deadLetters: { verify: pushed } });
    const body = JSON.stringify({ dlqId: "1-0", sourceHeader: { "cap-msg-id": "m" } });
    const response = await app.request("/dead-letter", {
      method: "POST",
      headers: AS_QSTASH,
      body,
    });
    assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "5"]);
  });

  it("is known by its reason alone, without what the destination answered", async () => {
    // An answer of a destination that is none of Atlast's, with all a gateway may say.
    const emulator = {
      faults: {
        delivery: ({ url }: { url: string }) =>
          url.startsWith(INVENTORY)
            ? { kind: "answer", status: 489, headers: FINAL, body: "secret\n page" } as const
            : undefined,
      },
    };
    await within({ emulator }, async (world) => {
      await publish(world);
      await world.qstash.emulator.drain();
      const record = await world.orders.store.find("outbox", KEY);
      assert.match(record?.reason ?? "", /answered 489/);
      assert.doesNotMatch(record?.reason ?? "", /secret/);
    });
  });
});

const FINAL = { "upstash-nonretryable-error": "true" };

describe("a subscriber without a store, delivered to by QStash", () => {
  it("is tried by its policy whatever the form of the message, and fails when that ends", async () => {
    for (const id of ["m", "bestellung:日本"]) {
      let attempts = 0;
      const qstash = await virtualQstash((_, request) => app.fetch(request));
      const { clock, client } = qstash;
      const { current: currentSigningKey, next: nextSigningKey } = qstash.emulator.keys;
      const app = createStatelessApp([
        subscribe(Deduct, { group: "inventory" }, () => {
          attempts += 1;
          fails();
        }),
      ], {
        verify: verifyQstash({ currentSigningKey, nextSigningKey, url: INVENTORY, clock }),
        retry: TWICE,
      });
      const url = `${INVENTORY}/deliver`;
      const transport = qstashTransport({ client, clock, routes: { "#": url } });
      await transport.send([testMessage({ id, name: Deduct.name, body: `{"n":1}` })], SIGNAL);
      assert.equal(await qstash.emulator.drain(), 93_000);
      assert.equal(attempts, 3);
      const { messages } = await client.dlq.listMessages();
      assert.deepEqual(messages.map(({ responseStatus }) => responseStatus), [489]);
      await qstash.close();
    }
  });
});

const SIGNAL = new AbortController().signal;

describe("a request that says it is QStash's", () => {
  const bodies = (text: string) => new TextEncoder().encode(text);

  /** A delivery of QStash's, taken down and sent again with changes. */
  async function replayed(
    world: World,
    change: (request: { url: string; headers: Headers; body: Uint8Array }) => {
      readonly url?: string;
      readonly body?: Uint8Array;
    } | void,
  ): Promise<Response> {
    const first = world.qstash.deliveries[0]!;
    const { url, body } = first;
    const headers = new Headers(first.headers);
    const changed = change({ url, headers, body }) ?? {};
    return await world.inventory.app.fetch(
      new Request(changed.url ?? url, {
        method: "POST",
        headers,
        body: (changed.body ?? body) as BodyInit,
      }),
    );
  }

  const refused: Readonly<Record<string, [number, Parameters<typeof replayed>[1]]>> = {
    "unsigned": [401, ({ headers }) => headers.delete("upstash-signature")],
    "for another path": [401, () => ({ url: `${INVENTORY}/tick` })],
    "with a body that was cut short": [401, ({ body }) => ({ body: body.subarray(0, -1) })],
    "with ten megabytes": [489, () => ({ body: new Uint8Array(10 * 1024 * 1024) })],
    "with a bomb of headers": [489, ({ headers }) => headers.set("x-bomb", "x".repeat(17_000))],
    "without a message": [401, ({ headers }) => {
      for (const name of ["cap-msg-id", "cap-msg-name"]) headers.delete(name);
    }],
    "with a name that is none": [401, ({ headers }) => headers.set("cap-msg-name", "a..b")],
    "with another name": [401, ({ headers }) => headers.set("cap-msg-name", "stock.refund")],
    "with another id": [401, ({ headers }) => headers.set("cap-msg-id", "other")],
    "with a callback": [401, ({ headers }) => headers.set("cap-callback-name", "order.marked")],
    "with a failure callback": [401, ({ headers }) => {
      headers.set("atlast-failure-callback-name", "order.stuck");
    }],
    "with another content type": [401, ({ headers }) => headers.set("content-type", "text/plain")],
    "as a batch": [401, ({ headers }) => {
      headers.set("content-type", "application/vnd.atlast.batch+json");
    }],
    "without the digest in its URL": [401, ({ url }) => ({ url: url.replace(/\?.*/, "") })],
  };
  for (const [name, [status, change]] of Object.entries(refused)) {
    it(`${name}: is answered ${status}, and nothing is handled`, async () => {
      const handler = runs([]);
      await within(handler, async (world) => {
        handler.in(world);
        await publish(world);
        const response = await replayed(world, change);
        assert.equal(response.status, status);
        assert.equal(
          response.headers.get("upstash-nonretryable-error"),
          status === 489 ? "true" : null,
        );
        assert.doesNotMatch(await response.text(), /"n"/);
        assert.equal(handler.atMs.length, 1);
      });
    });
  }

  it("is refused once its signature has expired", async () => {
    await within(runs([]), async (world) => {
      await publish(world);
      assert.equal((await replayed(world, () => {})).status, 200);
      world.qstash.clock.advance(311_000);
      assert.equal((await replayed(world, () => {})).status, 401);
    });
  });

  it("by another method is not allowed, and with a name nobody takes comes again", async () => {
    await within({}, async (world) => {
      const { inventory } = world;
      assert.equal((await inventory.app.request("/deliver", { method: "PUT" })).status, 405);
      await publish(world);
      assert.deepEqual(world.answers.map(({ response }) => response.status), [404, 404, 404]);
    });
  });

  it("with several messages in one is refused for good: a status stands for one", async () => {
    await within({}, async (world) => {
      const item = { headers: { "cap-msg-id": "a", "cap-msg-name": "stock.deduct" }, body: "1" };
      await world.qstash.client.publish({
        url: `${INVENTORY}/deliver`,
        headers: { "content-type": "application/vnd.atlast.batch+json" },
        body: JSON.stringify({ messages: [item, item] }),
      });
      await world.qstash.emulator.drain();
      assert.deepEqual(world.answers.map(({ response }) => response.status), [489]);
    });
  });

  it("to tell of what it gave up is refused unsigned, unreadable, or when it is of nobody's message", async () => {
    await within({}, async (world) => {
      const at = `${ORDERS}/dead-letter`;
      const unsigned = await world.orders.app.fetch(
        new Request(at, { method: "POST", body: bodies("{}") as BodyInit }),
      );
      assert.equal(unsigned.status, 401);
      for (const body of ["no json", "{}", `{"dlqId":"1-0","sourceHeader":{}}`]) {
        await world.qstash.client.publish({ url: at, body });
      }
      await world.qstash.client.publish({
        url: at,
        body: JSON.stringify({ dlqId: "1-0", status: 500, sourceHeader: { "Cap-Msg-Id": ["x"] } }),
      });
      await world.qstash.emulator.drain();
      assert.deepEqual(
        world.answers.map(({ response }) => response.status).sort(),
        [200, 489, 489, 489],
      );
      assert.equal(world.orders.observed.all("error", { during: "dead letter" }).length, 1);
    });
  });
});
