import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { httpTransport, verifySignature } from "../../../adapters/http/mod.ts";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import type { Message } from "../../../core/message/message.ts";
import { BATCH_CONTENT_TYPE, batchItem, batchOf, type Verify } from "../../../core/wire/wire.ts";
import { type App, createApp, type Principal, verifyBearer } from "../../../edge/mod.ts";
import { createStatelessApp } from "../../../edge/stateless/mod.ts";
import { createBus, defineMessage, failureReport, HEADER, subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { KEY, signingKey } from "../../support/http.ts";
import { serve } from "../../support/serve.ts";

const TOKEN = "0123456789abcdef";
const MarkStatus = defineMessage("place.order.mark.status", {
  body: z.object({ orderId: z.number(), isSuccess: z.boolean() }),
});
const DeductQty = defineMessage("place.order.qty.deducted", {
  body: z.object({ orderId: z.number() }),
  reply: MarkStatus.body,
});
const Stuck = defineMessage("order.stuck", { body: failureReport });

/** A request for a callback and a failure callback, as it comes from elsewhere. */
function asking(id: string, callback: string, failure = callback): Message {
  return arriving(id, {
    name: Deduct.name,
    headers: { [HEADER.callbackName]: callback, [HEADER.failureCallbackName]: failure },
  });
}

const deducting = subscribe(Deduct, { group: "g" }, ({ n }) => ({ n, ok: true }));

/** An app that lets one principal deliver. */
function delivering(principal: Principal | undefined, callbackNames?: readonly string[]) {
  const transport = new FakeTransport();
  const parts = fixture([deducting], {
    transport,
    ...(callbackNames === undefined ? {} : { callbackNames }),
  });
  const verify: Verify = () => ({ ok: true, ...(principal === undefined ? {} : { principal }) });
  const app = createApp(parts.bus, { verify });
  const post = async ({ id, name, headers, body }: Message): Promise<Response> =>
    await app.request("/deliver", {
      method: "POST",
      headers: {
        "cap-msg-id": id,
        "cap-msg-name": name,
        "content-type": "application/json",
        ...headers,
      },
      body: String(body),
    });
  return { ...parts, transport, app, post };
}

describe("callbacks between our own services", () => {
  it("need no list: two services that share a key, over HTTP", async () => {
    const signingKeys = [KEY];
    const verify = verifySignature({ signingKeys });
    const marked: number[] = [];
    // One server for both, told apart by path.
    const apps = new Map<string, App>();
    const server = await serve(async (request) => {
      const app = apps.get(new URL(request.url).pathname.split("/")[1] ?? "");
      return await app?.fetch(request) ?? new Response(null, { status: 404 });
    });
    const [ordersUrl, inventoryUrl] = ["orders", "inventory"].map((path) =>
      `${server.origin}/${path}/deliver`
    ) as [string, string];
    const orders = createBus({
      store: memoryStore(),
      transport: httpTransport({ signingKeys, routes: { [DeductQty.name]: inventoryUrl } }),
    }, [subscribe(MarkStatus, { group: "orders" }, ({ orderId }) => void marked.push(orderId))]);
    const inventory = createBus({
      store: memoryStore(),
      transport: httpTransport({ signingKeys, routes: { [MarkStatus.name]: ordersUrl } }),
    }, [
      subscribe(DeductQty, { group: "inventory" }, ({ orderId }) => ({ orderId, isSuccess: true })),
    ]);
    apps.set("orders", createApp(orders, { verify, basePath: "/orders" }));
    apps.set("inventory", createApp(inventory, { verify, basePath: "/inventory" }));
    try {
      await orders.publish(DeductQty, { orderId: 7 }, {
        callback: MarkStatus,
        failureCallback: Stuck,
      });
      for (const bus of [orders, inventory, orders]) await bus.tick();
      assert.deepEqual(marked, [7]);
    } finally {
      await Promise.all([orders.stop(), inventory.stop(), server.close()]);
    }
  });

  it("need no list in process", async () => {
    const { bus } = fixture([deducting], { transport: inProcessTransport() });
    const [result] = await bus.deliver([asking("m", "any.name.at.all")]);
    assert.equal(result?.kind, "handled");
  });

  it("need none for one of our own services, and have none for a key of a partner's", async () => {
    const own = delivering({ name: "services", kind: "service" });
    assert.equal((await own.post(asking("m", Marked.name))).status, 200);
    const partner: Principal = { name: "partner", kind: "publisher" };
    const key = signingKey("p");
    const { bus } = fixture([deducting], { transport: new FakeTransport() });
    const verify = verifySignature({ signingKeys: [key], principal: partner });
    const server = await serve(createApp(bus, { verify }).fetch);
    try {
      const routes = { [Deduct.name]: `${server.origin}/deliver` };
      for (const format of ["batch", "message"] as const) {
        const sender = httpTransport({ signingKeys: [key], routes, format });
        const [asked, plain] = await sender.send(
          [asking(`a-${format}`, Marked.name), arriving(`b-${format}`, { name: Deduct.name })],
          new AbortController().signal,
        );
        assert.ok(asked?.kind === "failed" && !asked.retryable, JSON.stringify(asked));
        assert.equal(asked.code, "forbidden");
        assert.deepEqual(plain, { kind: "sent" });
      }
    } finally {
      await server.close();
    }
  });
});

describe("callbacks that everyone else asks for", () => {
  const kinds = ["publisher", "push_provider", "participant", "keeper", "operator"] as const;

  it("are refused with 403 and nothing is stored, unless its list has the name", async () => {
    for (const kind of kinds) {
      const { post, store, observed } = delivering({ name: "x", kind });
      const response = await post(asking("m", "payment.refund"));
      assert.equal(response.status, 403);
      const { error } = await response.json();
      assert.deepEqual([error.code, error.final], ["forbidden", true]);
      assert.equal(await store.find("inbox", { id: "m", group: "g" }), null);
      assert.equal(observed.all("error", { during: "deliver" }).length, 1);
      const listed = delivering({ name: "x", kind, callbackNames: ["order.*"] });
      assert.equal((await listed.post(asking("m", Marked.name))).status, 200);
      assert.equal((await listed.post(asking("n", "payment.refund"))).status, 403);
    }
  });

  it("are refused by either header, alone", async () => {
    const { post } = delivering({ name: "x", kind: "publisher", callbackNames: ["order.*"] });
    assert.equal((await post(asking("a", Marked.name, "payment.refund"))).status, 403);
    assert.equal((await post(asking("b", "payment.refund", Stuck.name))).status, 403);
    assert.equal((await post(asking("c", Marked.name, Stuck.name))).status, 200);
    assert.equal((await post(asking("d", "", ""))).status, 200);
  });

  it("are none where the verifier names nobody", async () => {
    const { post } = delivering(undefined);
    assert.equal((await post(asking("m", Marked.name))).status, 403);
    assert.equal((await post(arriving("n", { name: Deduct.name }))).status, 200);
  });

  it("do not keep the other messages of a batch back", async () => {
    const { app } = delivering({ name: "x", kind: "publisher" });
    const batch = [asking("a", Marked.name), arriving("b", { name: Deduct.name })];
    const response = await app.request("/deliver", {
      method: "POST",
      headers: { "content-type": BATCH_CONTENT_TYPE },
      body: batchOf(batch.map(batchItem)),
    });
    const { results } = await response.json();
    assert.deepEqual(
      results.map(({ status, code }: { status: string; code?: string }) => [status, code]),
      [["rejected", "forbidden"], ["handled", undefined]],
    );
  });

  it("are refused by a subscriber without a store too", async () => {
    const transport = new FakeTransport();
    const app = createStatelessApp([deducting], {
      verify: verifyBearer(TOKEN, { name: "x", kind: "publisher", callbackNames: ["order.*"] }),
      transport,
      service: "stock",
    });
    const post = async (callback: string): Promise<number> => {
      const response = await app.request("/deliver", {
        method: "POST",
        headers: {
          authorization: `Bearer ${TOKEN}`,
          "content-type": "application/json",
          "cap-msg-id": "m",
          "cap-msg-name": Deduct.name,
          "cap-callback-name": callback,
        },
        body: `{"n":1}`,
      });
      return response.status;
    };
    assert.equal(await post("payment.refund"), 403);
    assert.deepEqual(transport.messages, []);
    assert.equal(await post(Marked.name), 200);
    assert.deepEqual(transport.messages.map(({ name }) => name), [Marked.name]);
  });
});

describe("callbacks asked for at the publish route", () => {
  function publishing(
    principal: Principal | undefined,
    callbackNames?: readonly string[],
  ) {
    const { bus, store } = fixture([], { transport: new FakeTransport() });
    const app = createApp(bus, {
      verify: () => ({ ok: false, kind: "forbidden", reason: "Not here" }),
      publish: {
        verify: () => ({ ok: true, ...(principal === undefined ? {} : { principal }) }),
        names: ["order.*"],
        ...(callbackNames === undefined ? {} : { callbackNames }),
      },
    });
    const post = async (headers: Record<string, string>) => {
      const response = await app.request("/publish", {
        method: "POST",
        headers: { "cap-msg-id": "m", "cap-msg-name": Placed.name, ...headers },
        body: "{}",
      });
      if (response.status === 403) {
        assert.equal(await store.find("outbox", { id: "m", group: "" }), null);
      }
      return response.status;
    };
    return post;
  }

  const caller: Principal = { name: "shop", kind: "publisher" };

  it("are refused with 403 where there is no list, whoever asks", async () => {
    for (const principal of [undefined, caller, { name: "services", kind: "service" } as const]) {
      for (const header of ["cap-callback-name", "atlast-failure-callback-name"]) {
        const post = publishing(principal);
        assert.equal(await post({ [header]: "payment.refund" }), 403);
        // What it may publish, it may not for that reason have published by others.
        assert.equal(await post({ [header]: Placed.name }), 403);
        assert.equal(await post({}), 201);
      }
    }
  });

  it("are taken by the list of the route and of the caller, and by both where there are both", async () => {
    const marked = { "cap-callback-name": Marked.name };
    const stuck = { "cap-callback-name": Stuck.name };
    assert.equal(await publishing(caller, ["order.*"])(marked), 201);
    assert.equal(await publishing(caller, ["order.*"])({ "cap-callback-name": "a.b" }), 403);
    const listed = { ...caller, callbackNames: [Marked.name] };
    assert.equal(await publishing(listed)(marked), 201);
    assert.equal(await publishing(listed)(stuck), 403);
    assert.equal(await publishing(listed, ["order.*"])(stuck), 403);
    assert.equal(await publishing(listed, ["order.*"])(marked), 201);
    assert.equal(await publishing(listed, ["payment.*"])(marked), 403);
  });

  it("are checked to be patterns when the app is made", () => {
    assert.throws(() => publishing(caller, ["not a name"]), { code: "invalid_name" });
  });
});

describe("the callbackNames of a bus", () => {
  it("narrow it for everyone", async () => {
    const own: Principal = { name: "services", kind: "service" };
    const { post, bus } = delivering(own, ["order.*"]);
    assert.equal((await post(asking("a", Marked.name))).status, 200);
    assert.equal((await post(asking("b", "payment.refund"))).status, 403);
    const [inProcess] = await bus.deliver([asking("c", "payment.refund")]);
    assert.equal(inProcess?.kind === "rejected" && inProcess.code, "forbidden");
  });

  it("hold for what is stored without being delivered: it fails visibly, and nothing is published", async () => {
    let runs = 0;
    const { bus, store, observed } = fixture([
      subscribe(Deduct, { group: "g" }, ({ n }) => {
        runs++;
        return { n, ok: true };
      }),
    ], { sharedStore: true, callbackNames: ["order.*"] });
    const headers = {
      [HEADER.callbackName]: "payment.refund",
      [HEADER.failureCallbackName]: "payment.refund",
    };
    await bus.publish(Deduct, { n: 1 }, { id: "m", headers });
    await bus.tick();
    const record = await store.find("inbox", { id: "m", group: "g" });
    assert.deepEqual([record?.state, record?.attempts, runs], ["failed", 1, 0]);
    assert.match(record?.reason ?? "", /payment\.refund/);
    assert.equal(observed.all("error", { during: "failure callback" }).length, 1);
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
  });

  it("must be patterns", () => {
    assert.throws(() => fixture([], { callbackNames: ["a b"] }), { code: "invalid_name" });
    assert.throws(
      () => createStatelessApp([], { verify: () => ({ ok: true }), callbackNames: ["a b"] }),
      { code: "invalid_name" },
    );
  });
});

describe("what callback headers say", () => {
  it("must be names, where a message is published and where it arrives", async () => {
    const { bus, store } = fixture([deducting], { transport: new FakeTransport() });
    for (const header of [HEADER.callbackName, HEADER.failureCallbackName]) {
      for (const name of ["no name", "a..b", "ü", "x".repeat(201)]) {
        const headers = { [header]: name };
        const refused = { code: "invalid_name", message: new RegExp(`header "${header}"`) };
        await assert.rejects(bus.publish(Deduct, { n: 1 }, { headers }), refused);
        await assert.rejects(bus.publishRaw({ name: "a", body: "", headers }), refused);
        const draft = { message: arriving("h", { headers }), deadlineMs: null, retry: null };
        await assert.rejects(bus.halfMessages.prepare(draft), refused);
        const [result] = await bus.deliver([arriving("m", { name: Deduct.name, headers })]);
        assert.equal(result?.kind === "rejected" && result.code, "malformed_message");
      }
    }
    assert.deepEqual(await store.list({ box: "inbox", limit: 9 }), []);
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
  });

  it("must be names, where a handler adds them to its reply", async () => {
    for (const header of [HEADER.callbackName, HEADER.failureCallbackName]) {
      const errors: unknown[] = [];
      const { bus } = fixture([
        subscribe(Deduct, { group: "g" }, ({ n }, { callback }) => {
          try {
            callback.addHeader(header, "no name");
          } catch (error) {
            errors.push(error);
          }
          return { n, ok: true };
        }),
      ], { transport: new FakeTransport() });
      await bus.deliver([arriving("m", { name: Deduct.name })]);
      assert.deepEqual(errors.map((error) => Reflect.get(Object(error), "code")), ["invalid_name"]);
    }
  });
});
