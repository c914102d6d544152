import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { httpTransport, verifySignature } from "../../../adapters/http/mod.ts";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import type { DeliverOptions } from "../../../core/ports/transport.ts";
import type { Principal } from "../../../core/principal.ts";
import { batchItem, batchOf } from "../../../core/wire/wire.ts";
import { createApp } from "../../../edge/mod.ts";
import {
  createBus,
  defineMessage,
  failureReport,
  HEADER,
  type Message,
  subscribe,
} from "../../../mod.ts";
import { arriving, fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { FakeStream } from "../../support/fake_stream.ts";
import { quiet } from "../../support/gate.ts";
import { KEY } from "../../support/http.ts";
import { Observed } from "../../support/observed.ts";
import { qstashWorld } from "../../support/qstash_world.ts";

const Received = defineMessage("payment.received", { body: z.object({ n: z.number() }) });
const Stuck = defineMessage("order.stuck", { body: failureReport });

const CONFLICT = {
  kind: "rejected",
  code: "id_conflict",
  reason: "A different message has its id",
} as const;
const FIRST = arriving("order-7");
/** Each with the id of {@linkcode FIRST}, and each another message. */
const OTHERS: readonly Message[] = [
  arriving("order-7", { name: Received.name }),
  arriving("order-7", { body: `{"n":2}` }),
  arriving("order-7", { body: `{"n":1,"m":1}` }),
  arriving("order-7", { body: `{"n":1} `, contentType: "text/plain" }),
  arriving("order-7", { body: "not json" }),
];
/** Each the very message that {@linkcode FIRST} is. */
const SAME: readonly Message[] = [
  FIRST,
  arriving("order-7", { body: ` { "n" : 1.0 } ` }),
  arriving("order-7", { body: new TextEncoder().encode(`{"n":1}`) }),
  arriving("order-7", { contentType: "application/json; charset=utf-8" }),
  arriving("order-7", { headers: { traceparent: "00-1", "x-other": "1" }, sentAtMs: 5 }),
];

describeOnEveryStore("a different message with a known id", (open) => {
  for (const running of [false, true]) {
    it(`is a conflict, and the same one a duplicate, on a bus that ${running ? "runs" : "rests"}`, async () => {
      const { store, close } = await open();
      const observed = new Observed();
      const runs: string[] = [];
      const bus = createBus({ store, transport: inProcessTransport(), observe: observed.observe }, [
        subscribe(Placed, { group: "g" }, (_, { message }) => void runs.push(message.name)),
        subscribe(Received, { group: "g" }, (_, { message }) => void runs.push(message.name)),
      ]);
      try {
        if (running) await bus.start();
        await bus.deliver([FIRST]);
        await observed.until("succeeded");
        for (const same of SAME) {
          assert.deepEqual(await bus.deliver([same]), [
            { kind: "handled", duplicate: true, reply: null },
          ]);
        }
        for (const other of OTHERS) {
          assert.deepEqual(await bus.deliver([other]), [CONFLICT], JSON.stringify(other));
        }
        assert.deepEqual(runs, [Placed.name]);
        assert.equal(observed.all("redelivered").length, SAME.length);
        assert.deepEqual(
          observed.all("rejected").map(({ id, group, reason }) => [id, group, reason]),
          OTHERS.map(() => ["order-7", "g", CONFLICT.reason]),
        );
      } finally {
        await bus.stop();
        await close();
      }
    });
  }

  it("conflicts with a first one of the same batch too", async () => {
    const { store, close } = await open();
    const runs: number[] = [];
    const bus = createBus({ store, transport: inProcessTransport() }, [
      subscribe(Placed, { group: "g" }, ({ n }) => void runs.push(n)),
    ]);
    try {
      const results = await bus.deliver([FIRST, arriving("other"), OTHERS[1]!, SAME[1]!]);
      assert.deepEqual(results.map(({ kind }) => kind), [
        "handled",
        "handled",
        "rejected",
        "handled",
      ]);
      assert.deepEqual(runs, [1, 1]);
    } finally {
      await bus.stop();
      await close();
    }
  });
});

describe("a conflict of ids", () => {
  it("in one group neither undoes nor blocks the others, which handle the message once", async () => {
    const runs: string[] = [];
    const { bus, store } = fixture([
      subscribe(Placed, { group: "first" }, () => void runs.push("first")),
    ]);
    await bus.deliver([FIRST]);
    bus.subscribe(Placed, { group: "second" }, ({ n }) => void runs.push(`second ${n}`));
    const other = arriving("order-7", { body: `{"n":2}` });
    assert.deepEqual(await bus.deliver([other]), [CONFLICT]);
    assert.deepEqual(await bus.deliver([other]), [CONFLICT]);
    assert.deepEqual(runs, ["first", "second 2"]);
    const kept = await store.find("inbox", { id: "order-7", group: "first" });
    assert.equal(kept?.message.body, FIRST.body);
  });

  it("is told last to one who comes again for what another group has still to do", async () => {
    let fails = true;
    const retry = { kind: "fixed", delayMs: 1_000, maxAttempts: 3 } as const;
    const { bus, clock } = fixture([subscribe(Placed, { group: "first" }, () => {})]);
    await bus.deliver([FIRST]);
    bus.subscribe(Placed, { group: "second", retry }, () => {
      if (fails) throw new Error("not yet");
    });
    const redelivers: DeliverOptions = { redelivers: true };
    const [waits] = await bus.deliver([OTHERS[1]!], redelivers);
    assert.deepEqual(waits, { kind: "accepted", retryAfterMs: 1_000 });
    fails = false;
    clock.advance(1_000);
    assert.deepEqual(await bus.deliver([OTHERS[1]!], redelivers), [CONFLICT]);
  });

  it("leaves a message that failed to be tried afresh, and a conflict to be none of it", async () => {
    let runs = 0;
    const retry = { kind: "fixed", delayMs: 0, maxAttempts: 1 } as const;
    const { bus, clock } = fixture([
      subscribe(Placed, { group: "g", retry }, () => {
        runs += 1;
        if (runs === 1) throw new Error("no");
      }),
    ]);
    assert.equal((await bus.deliver([FIRST]))[0]?.kind, "failed");
    assert.deepEqual(await bus.deliver([OTHERS[1]!], { afreshAtMs: clock.now() }), [CONFLICT]);
    assert.equal(runs, 1);
    assert.equal((await bus.deliver([FIRST], { afreshAtMs: clock.now() }))[0]?.kind, "handled");
    assert.equal(runs, 2);
  });

  it("counts the publisher only where both were named, by a principal and not by a key", async () => {
    const by = (name: string): DeliverOptions => ({
      principal: { name, kind: "publisher" } satisfies Principal,
    });
    const cases: [DeliverOptions, DeliverOptions, string][] = [
      [by("a"), by("a"), "handled"],
      [by("a"), by("b"), "rejected"],
      [by("a"), {}, "handled"],
      // A verifier that names nobody.
      [by("a"), by(""), "handled"],
      [{}, by("b"), "handled"],
      [{}, {}, "handled"],
    ];
    for (const [first, second, kind] of cases) {
      const { bus } = fixture([subscribe(Placed, { group: "g" }, () => {})]);
      await bus.deliver([FIRST], first);
      assert.equal((await bus.deliver([FIRST], second))[0]?.kind, kind);
    }
  });
});

describe("whoever publishes a different message with a known id", () => {
  it("in process has it failed at once, with its failure callback, once", async () => {
    const stuck: unknown[] = [];
    const runs: number[] = [];
    const transport = inProcessTransport();
    const receiver = fixture([subscribe(Placed, { group: "g" }, ({ n }) => void runs.push(n))], {
      transport,
    });
    await receiver.bus.deliver([FIRST]);
    const { bus, store } = fixture([
      subscribe(Stuck, { group: "orders" }, (report) => void stuck.push(report)),
    ], { transport });
    await bus.publish(Placed, { n: 2 }, { id: "order-7", failureCallback: Stuck });
    await bus.tick();
    await bus.tick();
    const sent = await store.find("outbox", { id: "order-7", group: "" });
    assert.deepEqual([sent?.state, sent?.attempts], ["failed", 1]);
    assert.equal(stuck.length, 1);
    assert.deepEqual(runs, [1]);
    await receiver.bus.tick();
    assert.equal((await receiver.store.list({ box: "outbox", limit: 10 })).length, 0);
  });

  for (const format of ["batch", "message"] as const) {
    it(`over HTTP, format ${format}, has it failed at once; its neighbours are sent`, async () => {
      const verify = verifySignature({ signingKeys: [KEY] });
      const inventory = createBus({ store: memoryStore(), transport: inProcessTransport() }, [
        subscribe(Placed, { group: "g" }, () => {}),
      ]);
      const app = createApp(inventory, { verify });
      await inventory.deliver([FIRST]);
      const store = memoryStore();
      const orders = createBus<Tx>({
        store,
        transport: httpTransport({
          routes: { "#": "https://inventory.test/deliver" },
          signingKeys: [KEY],
          format,
          fetch: async (url, init) => await app.fetch(new Request(url, init)),
        }),
      });
      await orders.publish(Placed, { n: 2 }, { id: "order-7" });
      await orders.publish(Placed, { n: 3 }, { id: "order-8" });
      await orders.tick();
      const [conflict, neighbour] = await Promise.all(
        ["order-7", "order-8"].map((id) => store.find("outbox", { id, group: "" })),
      );
      assert.deepEqual([conflict?.state, conflict?.attempts], ["failed", 1]);
      assert.match(conflict?.reason ?? "", /A different message has its id/);
      assert.equal(neighbour?.state, "succeeded");
      await orders.stop();
      await inventory.stop();
    });
  }

  it("by HTTP alone is answered 409 and id_conflict, in a batch for its message", async () => {
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => {})]);
    const app = createApp(bus, { verify: () => ({ ok: true }) });
    await bus.deliver([FIRST]);
    const headers = { "cap-msg-id": "order-7", "cap-msg-name": Placed.name };
    const alone = await app.request("/deliver", { method: "POST", headers, body: `{"n":2}` });
    assert.equal(alone.status, 409);
    assert.equal((await alone.json()).error.code, "id_conflict");
    const batch = await app.request("/deliver", {
      method: "POST",
      headers: { "content-type": "application/vnd.atlast.batch+json" },
      body: batchOf([OTHERS[1]!, arriving("order-8")].map(batchItem)),
    });
    assert.equal(batch.status, 200);
    const { results } = await batch.json();
    assert.deepEqual(
      results.map(({ status, code }: { status: string; code?: string }) => [status, code]),
      [["rejected", "id_conflict"], ["handled", undefined]],
    );
  });

  it("through QStash is answered 489, and has it failed with its failure callback, once", async () => {
    const stuck: unknown[] = [];
    const world = await qstashWorld({
      inventory: [subscribe(Placed, { group: "g", pattern: "stock.placed" }, () => {})],
      orders: [subscribe(Stuck, { group: "orders" }, (report) => void stuck.push(report))],
    });
    const { orders, inventory, qstash } = world;
    try {
      const Stock = defineMessage("stock.placed", { body: Placed.body });
      await inventory.bus.deliver([arriving("order-7", { name: Stock.name })]);
      await orders.bus.publish(Stock, { n: 2 }, { id: "order-7", failureCallback: Stuck });
      await orders.bus.tick();
      await qstash.emulator.advance(1_000);
      await orders.bus.tick();
      await qstash.emulator.advance(1_000);
      assert.equal(world.answers[0]?.response.status, 489);
      assert.match(await world.answers[0]!.response.text(), /id_conflict/);
      const sent = await orders.store.find("outbox", { id: "order-7", group: "" });
      assert.equal(sent?.state, "failed");
      assert.equal(stuck.length, 1);
      assert.equal((await inventory.store.list({ box: "outbox", limit: 10 })).length, 0);
    } finally {
      await world.close();
    }
  });

  for (const running of [false, true]) {
    it(
      `by a stream has it parked, and the receiver sends the failure callback, once; it ${
        running ? "runs" : "ticks"
      }`,
      async () => {
        const stream = new FakeStream(["inventory", "orders"]);
        const inventory = fixture([subscribe(Placed, { group: "g" }, () => {})], {
          transport: stream.transport("inventory"),
        });
        const stuck: unknown[] = [];
        const orders = fixture([
          subscribe(Stuck, { group: "orders" }, (report) => void stuck.push(report)),
        ], { transport: stream.transport("orders") });
        await inventory.bus.deliver([FIRST]);
        if (running) await inventory.bus.start();
        const other = arriving("order-7", {
          body: `{"n":2}`,
          headers: { [HEADER.failureCallbackName]: Stuck.name },
        });
        const sender = stream.transport("orders");
        // Twice, as where the process died between the answer and the parking.
        for (let i = 0; i < 2; i++) {
          await sender.send([other], new AbortController().signal);
          if (!running) await inventory.bus.tick();
          while (inventory.observed.all("rejected").length <= i) {
            await quiet(1);
            inventory.clock.advance(1_000);
          }
        }
        if (running) await inventory.bus.stop();
        assert.equal(stream.parked.get("order-7"), CONFLICT.reason);
        assert.equal(inventory.observed.all("rejected").length, 2);
        await inventory.bus.stop();
        await orders.bus.tick();
        assert.deepEqual(stuck, [{
          messageId: "order-7",
          name: Placed.name,
          group: "g",
          code: "id_conflict",
          reason: CONFLICT.reason,
          attempts: 0,
          round: 1,
        }]);
        await orders.bus.stop();
      },
    );
  }

  it("by a stream is told, as is each other one that has the same id", async () => {
    const stream = new FakeStream(["inventory", "orders"]);
    const inventory = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      transport: stream.transport("inventory"),
    });
    const ids = new Set<string>();
    const orders = fixture([
      subscribe(Stuck, { group: "orders" }, (_, { message }) => void ids.add(message.id)),
    ], { transport: stream.transport("orders") });
    await inventory.bus.deliver([FIRST]);
    const headers = { [HEADER.failureCallbackName]: Stuck.name };
    for (const n of [2, 3, 2]) {
      const other = arriving("order-7", { body: `{"n":${n}}`, headers });
      await stream.transport("orders").send([other], new AbortController().signal);
      await inventory.bus.tick();
    }
    await orders.bus.tick();
    assert.equal(ids.size, 2);
    assert.deepEqual(orders.observed.all("error"), []);
    await Promise.all([inventory.bus.stop(), orders.bus.stop()]);
  });

  it("on a shared store is refused, delayed or not", async () => {
    const { bus, store } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      sharedStore: true,
    });
    await bus.publish(Placed, { n: 1 }, { id: "order-7" });
    await assert.rejects(bus.publish(Placed, { n: 2 }, { id: "order-7" }), {
      code: "id_conflict",
    });
    await assert.rejects(bus.publish(Placed, { n: 2 }, { id: "order-7", delayMs: 1_000 }), {
      code: "id_conflict",
    });
    assert.equal(await store.find("outbox", { id: "order-7", group: "" }), null);
  });
});
