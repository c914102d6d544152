import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { httpTransport, verifySignature } from "../../../adapters/http/mod.ts";
import { inProcessTransport, memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { createClient } from "../../../client/mod.ts";
import { answerId } from "../../../bus/settings/ids.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import type { AnswerOrigin } from "../../../core/message/id.ts";
import type { Message } from "../../../core/message/message.ts";
import type { Store } from "../../../core/ports/store.ts";
import { BATCH_CONTENT_TYPE, batchItem, batchOf } from "../../../core/wire/wire.ts";
import { createApp, verifyBearer } from "../../../edge/mod.ts";
import { createStatelessApp } from "../../../edge/stateless/mod.ts";
import { createBus, defineMessage, HEADER, subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { KEY } from "../../support/http.ts";
import { Observed } from "../../support/observed.ts";
import { serve } from "../../support/serve.ts";

const TOKEN = "0123456789abcdef";
const verify = verifySignature({ signingKeys: [KEY] });

const ORIGIN: AnswerOrigin = {
  kind: "reply",
  requestId: "order-7",
  responder: "stock",
  group: "main",
  round: 1,
};

/** A request for a reply, as it comes from elsewhere. */
function asking(id: string): Message {
  return arriving(id, { name: Deduct.name, headers: { [HEADER.callbackName]: Marked.name } });
}

describe("an id in the form of an answer's", () => {
  it("is refused from whoever publishes or prepares", async () => {
    const id = await answerId(ORIGIN);
    const fence = memoryFence();
    const { bus, store } = fixture([], { transport: new FakeTransport(), fence });
    const refused = { code: "invalid_id" };
    for (const reserved of [id, "atlast-failure-1"]) {
      await assert.rejects(bus.publish(Placed, { n: 1 }, { id: reserved }), refused);
      await assert.rejects(bus.publishMany(Placed, [{ n: 1 }], { ids: [reserved] }), refused);
      await assert.rejects(
        store.transaction((tx) => bus.publish(Placed, { n: 1 }, { id: reserved, tx })),
        refused,
      );
      const raw = { id: reserved, name: Placed.name, body: "{}" };
      await assert.rejects(bus.publishRaw(raw), refused);
      await assert.rejects(bus.prepare(Placed, { n: 1 }, { id: reserved }), refused);
      const draft = { message: arriving(reserved), deadlineMs: null, retry: null };
      await assert.rejects(bus.halfMessages.prepare(draft), refused);
    }
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
  });

  it("is refused from a middleware that puts it in", async () => {
    const { bus } = fixture([], {
      transport: new FakeTransport(),
      onPublish: [(draft, next) => next({ ...draft, id: "atlast-reply-1" })],
    });
    await assert.rejects(bus.publish(Placed, { n: 1 }), { code: "invalid_id" });
  });

  it("is refused at the publish and half-message routes, and by the client", async () => {
    const id = await answerId(ORIGIN);
    const checkBacks = { pay: { check: () => Promise.resolve("unknown" as const) } };
    const { bus, store } = fixture([], { transport: new FakeTransport(), checkBacks });
    const app = createApp(bus, {
      verify,
      publish: { verify: verifyBearer(TOKEN), names: ["#"] },
      halfMessages: {
        verify: verifyBearer(TOKEN, { name: "pay", kind: "participant" }),
        signingKeys: [KEY],
        names: ["#"],
      },
    });
    const server = await serve(app.fetch);
    try {
      const published = await fetch(`${server.origin}/publish`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${TOKEN}`,
          "cap-msg-id": id,
          "cap-msg-name": Placed.name,
        },
        body: "{}",
      });
      assert.equal(published.status, 400);
      assert.equal((await published.json()).error.code, "invalid_id");
      const url = `${server.origin}/half`;
      const client = createClient({ url, token: TOKEN, participant: "pay", fence: memoryFence() });
      await assert.rejects(client.prepare(Placed, { n: 1 }, { id }), { code: "invalid_id" });
      // One that does not check it by itself.
      const draft = { ...arriving(id), headers: { [HEADER.participant]: "pay" } };
      const half = await fetch(url, {
        method: "POST",
        headers: {
          authorization: `Bearer ${TOKEN}`,
          "content-type": "application/vnd.atlast.half+json",
        },
        body: `{"operation":"prepare","message":${batchItem(draft)}}`,
      });
      assert.equal(half.status, 400);
      assert.equal((await half.json()).error.code, "invalid_id");
      assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
    } finally {
      await server.close();
    }
  });

  it("is refused from a handler without a store", async () => {
    const transport = new FakeTransport();
    let refused: unknown;
    const app = createStatelessApp([
      subscribe(Placed, { group: "g" }, async (_, { publish }) => {
        await publish(Placed, { n: 2 }, { id: "atlast-reply-1" }).catch((e) => refused = e);
      }),
    ], { verify: () => ({ ok: true }), transport, service: "s" });
    await app.request("/deliver", {
      method: "POST",
      headers: {
        "cap-msg-id": "m",
        "cap-msg-name": Placed.name,
        "content-type": "application/json",
      },
      body: `{"n":1}`,
    });
    assert.equal((refused as { code?: string }).code, "invalid_id");
    assert.deepEqual(transport.messages, []);
  });

  it("is taken on delivery only where it follows from the message's own headers", async () => {
    const { bus, store, observed } = fixture([subscribe(Marked, { group: "orders" }, () => {})]);
    const headers = {
      [HEADER.correlationId]: ORIGIN.requestId,
      [HEADER.responder]: ORIGIN.responder,
      [HEADER.group]: ORIGIN.group,
    };
    const answer = arriving(await answerId(ORIGIN), {
      name: Marked.name,
      headers,
      body: `{"n":1,"ok":true}`,
    });
    const forged = { ...answer, headers: { ...headers, [HEADER.responder]: "mail" } };
    for (const isRunning of [false, true]) {
      if (isRunning) await bus.start();
      const [first, second] = await bus.deliver([
        forged,
        arriving(`ordinary-${isRunning}`, { ...answer, id: `ordinary-${isRunning}` }),
      ]);
      assert.equal(first?.kind, "rejected");
      assert.equal(first?.kind === "rejected" && first.code, "malformed_message");
      assert.notEqual(second?.kind, "rejected");
    }
    assert.equal(observed.all("error", { during: "deliver" }).length, 2);
    assert.equal(await store.find("inbox", { id: answer.id, group: "orders" }), null);
    // The one that was to be silenced arrives.
    const [result] = await bus.deliver([answer]);
    assert.notEqual(result?.kind, "rejected");
    await bus.stop();
  });

  it("that does not follow from them is answered 400, in a batch as rejected, stateless too", async () => {
    const { bus } = fixture([subscribe(Marked, { group: "orders" }, () => {})]);
    const allowing = () => ({ ok: true }) as const;
    const apps = [
      createApp(bus, { verify: allowing }),
      createStatelessApp([subscribe(Marked, { group: "orders" }, () => {})], { verify: allowing }),
    ];
    const id = await answerId(ORIGIN);
    for (const app of apps) {
      const raw = await app.request("/deliver", {
        method: "POST",
        headers: { "cap-msg-id": id, "cap-msg-name": Marked.name },
        body: `{"n":1,"ok":true}`,
      });
      assert.equal(raw.status, 400);
      const { error } = await raw.json();
      assert.deepEqual([error.code, error.final], ["malformed_message", true]);
      const forged = arriving(id, { name: Marked.name, body: `{"n":1,"ok":true}` });
      const batch = await app.request("/deliver", {
        method: "POST",
        headers: { "content-type": BATCH_CONTENT_TYPE },
        body: batchOf([batchItem(forged)]),
      });
      const [result] = (await batch.json()).results;
      assert.deepEqual([result.status, result.code], ["rejected", "malformed_message"]);
    }
  });
});

describe("answers of two services with a group of one name", () => {
  for (const named of [true, false]) {
    it(`both arrive, ${named ? "with names" : "with ids that their stores drew"}`, async () => {
      const marked: unknown[] = [];
      const transport = inProcessTransport();
      const service = (name: string, ok: boolean) =>
        createBus({
          store: memoryStore(),
          transport,
          ...(named ? { service: name } : {}),
        }, [subscribe(Deduct, { group: "main" }, ({ n }) => ({ n, ok }))]);
      const stock = service("stock", true);
      const mail = service("mail", false);
      const orders = createBus({ store: memoryStore(), transport, service: "orders" }, [
        subscribe(Marked, { group: "main" }, ({ ok }, { headers }) => {
          marked.push([ok, headers[HEADER.responder]]);
        }),
      ]);
      await orders.publish(Deduct, { n: 1 }, { callback: Marked });
      for (const bus of [orders, stock, mail, orders]) await bus.tick();
      const responder = async (bus: typeof stock, name: string) =>
        named ? name : await bus.store.serviceId();
      assert.deepEqual(
        marked.toSorted(),
        [[true, await responder(stock, "stock")], [false, await responder(mail, "mail")]]
          .toSorted(),
      );
      await Promise.all([orders.stop(), stock.stop(), mail.stop()]);
    });
  }

  it("over signed HTTP, one of them without a store", async () => {
    const marked: boolean[] = [];
    const signingKeys = [KEY];
    const server = await serve(async (request) => await app.fetch(request));
    const routes = { [Marked.name]: `${server.origin}/deliver` };
    const transport = httpTransport({ signingKeys, routes });
    const stateless = createStatelessApp([
      subscribe(Deduct, { group: "main" }, ({ n }) => ({ n, ok: false })),
    ], { verify, transport, service: "mail" });
    const stock = createBus({ store: memoryStore(), transport, service: "stock" }, [
      subscribe(Deduct, { group: "main" }, ({ n }) => ({ n, ok: true })),
    ]);
    const orders = createBus({ store: memoryStore(), transport: new FakeTransport() }, [
      subscribe(Marked, { group: "main" }, ({ ok }) => void marked.push(ok)),
    ]);
    const app = createApp(orders, { verify });
    const receiving = await serve(stateless.fetch);
    try {
      const sender = httpTransport({
        signingKeys,
        routes: { [Deduct.name]: `${receiving.origin}/deliver` },
      });
      const [sent] = await sender.send([asking("r")], new AbortController().signal);
      assert.deepEqual(sent, { kind: "sent" });
      await stock.deliver([asking("r")]);
      await stock.flush();
      assert.deepEqual(marked.toSorted(), [false, true]);
    } finally {
      await Promise.all([server.close(), receiving.close(), stock.stop(), orders.stop()]);
    }
  });

  it("a service whose name is none, or a stateless one without a name that answers, is not made", () => {
    const refused = { code: "invalid_option" };
    for (const service of ["", "a b", "x".repeat(101), "ä"]) {
      assert.throws(
        () => createBus({ store: memoryStore(), transport: inProcessTransport(), service }),
        refused,
      );
    }
    const options = { verify, transport: new FakeTransport() };
    assert.throws(() => createStatelessApp([], options), refused);
    assert.throws(() => createStatelessApp([], { ...options, service: "a b" }), refused);
    createStatelessApp([], { verify });
    createStatelessApp([], { ...options, service: "mail" });
  });
});

describeOnEveryStore("an answer", (open) => {
  it("whose id a different message has fails its request, or is told of: never dropped", async () => {
    const { store, close } = await open();
    try {
      const observed = new Observed();
      const written: number[] = [];
      const { bus } = fixture([
        subscribe(Deduct, { group: "main" }, ({ n }) => {
          written.push(n);
          return { n, ok: true };
        }),
      ], {
        store: store as Store<Tx>,
        transport: new FakeTransport(),
        service: "stock",
        observe: observed.observe,
      });
      const origin = { ...ORIGIN, requestId: "r" };
      const taken = arriving(await answerId(origin), { name: Marked.name, body: `{"other":1}` });
      await store.ready();
      await store.add("outbox", [newRecord(taken, {})], taken.sentAtMs);
      const [result] = await bus.deliver([asking("r")]);
      const [error] = observed.all("error", { during: "reply" });
      assert.equal((error?.error as { code?: string }).code, "id_conflict");
      const record = await store.find("inbox", { id: "r", group: "main" });
      if (store.capabilities.transactions) {
        assert.equal(result?.kind, "failed");
        assert.match(record?.reason ?? "", /^AnswerConflict-->/);
      } else {
        // The handler's work cannot be taken back.
        assert.equal(result?.kind, "handled");
      }
      assert.deepEqual(written, [1]);
      assert.equal(
        (await store.find("outbox", { id: taken.id, group: "" }))?.message.body,
        taken.body,
      );
      await bus.stop();
    } finally {
      await close();
    }
  });

  it("is named by the id that the store keeps, in every process that uses it", async () => {
    const { store, close } = await open();
    try {
      const responders: (string | undefined)[] = [];
      for (const id of ["a", "b"]) {
        const transport = new FakeTransport();
        const { bus } = fixture([
          subscribe(Deduct, { group: "main" }, ({ n }) => ({ n, ok: true })),
        ], { store: store as Store<Tx>, transport });
        await bus.deliver([asking(id)]);
        await bus.flush();
        responders.push(...transport.messages.map(({ headers }) => headers[HEADER.responder]));
      }
      const id = await store.serviceId();
      assert.deepEqual(responders, [id, id]);
    } finally {
      await close();
    }
  });
});

describe("an answer in a transaction of a store with one connection", () => {
  it("does not wait for the store's id inside it", { timeout: 30_000 }, async () => {
    // PGlite has one connection: what asks it outside the transaction waits for that to end.
    const { PGlite } = await import("@electric-sql/pglite");
    const { pgliteStore } = await import("../../../adapters/pglite/mod.ts");
    const db = new PGlite();
    const transport = new FakeTransport();
    const bus = createBus({ store: pgliteStore(db), transport }, [
      subscribe(Deduct, { group: "main" }, ({ n }) => ({ n, ok: true })),
      subscribe(
        defineMessage("many", { body: z.object({ n: z.number() }), reply: Marked.body }),
        { group: "many", maxBatch: 10 },
        ({ n }) => ({ n, ok: true }),
      ),
    ]);
    await bus.deliver([asking("r")]);
    await bus.deliver(["1", "2", "3"].map((id) => ({ ...asking(id), name: "many" })));
    await bus.flush();
    assert.equal(transport.messages.length, 4);
    await bus.stop();
    await db.close();
  });
});
