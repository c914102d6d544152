import assert from "node:assert/strict";
import { it } from "node:test";
import * as z from "zod";
import { httpTransport, verifySignature } from "../../adapters/http/mod.ts";
import { memoryStore } from "../../adapters/memory/mod.ts";
import type { Message } from "../../core/message/message.ts";
import { BATCH_CONTENT_TYPE, batchItem, batchOf } from "../../core/wire/wire.ts";
import { type App, createApp, verifyBearer } from "../../edge/mod.ts";
import { createStatelessApp } from "../../edge/stateless/mod.ts";
import { createBus, defineMessage, failureReport, subscribe } from "../../mod.ts";
import { arriving, fixture, type Tx } from "../support/bus_fixture.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { fetchFrom, KEY } from "../support/http.ts";

const TOKEN = "0123456789abcdef";
const BOM = "\ufeff";
const verify = verifyBearer(TOKEN, { name: "partner", kind: "publisher", callbackNames: ["#"] });

const Json = defineMessage("as.json", { body: z.object({ n: z.number() }) });
const Late = defineMessage("as.json_later", {
  body: z.object({ n: z.number() }).refine(() => Promise.resolve(true)),
});
const Text = defineMessage("as.text", { body: z.string() });
const Bytes = defineMessage("as.bytes", { body: z.instanceof(Uint8Array) });
const CONTRACTS = [Json, Late, Text, Bytes];

/** An app, and the bodies that its handlers got. */
interface Subject {
  readonly app: App;
  readonly bodies: unknown[];
  /** Whether it keeps messages, and so has them as failed. */
  readonly stores: boolean;
  stop(): Promise<void>;
}

function storing(running: boolean): Subject {
  const bodies: unknown[] = [];
  const { bus } = fixture(
    CONTRACTS.map((each) =>
      subscribe<typeof each, Tx>(each, { group: "g" }, (body) => void bodies.push(body))
    ),
    { transport: new FakeTransport() },
  );
  if (running) bus.start();
  const app = createApp(bus, { verify });
  return { app, bodies, stores: true, stop: () => bus.stop() };
}

function stateless(): Subject {
  const bodies: unknown[] = [];
  const app = createStatelessApp(
    CONTRACTS.map((each) =>
      subscribe(each, { group: "g" }, (body: unknown) => void bodies.push(body))
    ),
    { verify },
  );
  return { app, bodies, stores: false, stop: () => Promise.resolve() };
}

/** Delivers one message as an HTTP client in another language does. */
async function deliver(
  app: App,
  name: string,
  contentType: string,
  body: BodyInit,
): Promise<{ status: number; answer: Answer }> {
  const headers = {
    authorization: `Bearer ${TOKEN}`,
    "content-type": contentType,
    "cap-msg-id": crypto.randomUUID(),
    "cap-msg-name": name,
  };
  const response = await app.request("/deliver", { method: "POST", headers, body });
  return { status: response.status, answer: await response.json() };
}

interface Answer {
  readonly results?: readonly { readonly id: string; readonly status: string }[];
  readonly error?: { readonly code: string; readonly final?: boolean };
}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

for (
  const [what, make] of [
    ["a resting bus", () => storing(false)],
    ["a running bus", () => storing(true)],
    ["no store", stateless],
  ] as const
) {
  const onSubject = (title: string, test: (subject: Subject) => Promise<void>) =>
    it(`${title}, at ${what}`, async () => {
      const subject = make();
      try {
        await test(subject);
      } finally {
        await subject.stop();
      }
    });

  onSubject("JSON under an HTTP client's default content type is read", async (subject) => {
    const types = [
      "text/plain;charset=UTF-8", // fetch with a string
      "application/x-www-form-urlencoded", // curl -d
      "application/octet-stream", // a library that sends bytes
      "TEXT/PLAIN",
    ];
    for (const { name } of [Json, Late]) {
      for (const type of types) {
        for (const mark of ["", BOM]) {
          const { status } = await deliver(subject.app, name, type, utf8(`${mark}{"n":1}`));
          assert.ok(status === 200 || status === 202, `${name} ${type} ${status}`);
        }
      }
      const { status } = await deliver(
        subject.app,
        name,
        "application/json",
        utf8(`${BOM}{"n":1}`),
      );
      assert.ok(status === 200 || status === 202, `a byte-order mark before JSON: ${status}`);
    }
    await subject.stop();
    assert.deepEqual(subject.bodies, Array.from({ length: 18 }, () => ({ n: 1 })));
  });

  onSubject("the raw value comes first", async (subject) => {
    await deliver(subject.app, Text.name, "text/plain", `{"n":1}`);
    await deliver(subject.app, Bytes.name, "application/octet-stream", `{"n":1}`);
    await subject.stop();
    assert.deepEqual(subject.bodies, [`{"n":1}`, utf8(`{"n":1}`)]);
  });

  onSubject("a body that fits neither way is answered 422", async (subject) => {
    const bad: [string, BodyInit][] = [
      ["text/plain", `{"n":"1"}`],
      ["application/x-www-form-urlencoded", "n=1"],
      ["application/octet-stream", new Uint8Array([0xff])],
      ["application/json", "{"],
      ["application/json", `{"n":"1"}`],
      ["image/png", `{"n":1}`],
    ];
    for (const { name } of [Json, Late]) {
      for (const [type, body] of bad) {
        const { status, answer } = await deliver(subject.app, name, type, body);
        assert.equal(status, 422, `${name} ${type}`);
        if (subject.stores) assert.equal(answer.results?.[0]?.status, "failed");
        else assert.deepEqual([answer.error?.code, answer.error?.final], ["invalid_body", true]);
      }
    }
    assert.deepEqual(subject.bodies, []);
  });
}

it("a message that is stored as failed is answered 422 again, and in a batch 200 with failed", async () => {
  const { bus } = fixture([subscribe(Json, { group: "g" }, () => {})]);
  const app = createApp(bus, { verify });
  const post = (contentType: string, body: string, own: Record<string, string> = {}) =>
    app.request("/deliver", {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": contentType, ...own },
      body,
    });
  const raw = { "cap-msg-id": "m-1", "cap-msg-name": Json.name };
  assert.equal((await post("text/plain", "no", raw)).status, 422);
  assert.equal((await post("text/plain", "no", raw)).status, 422);
  const message = arriving("m-1", { name: Json.name, contentType: "text/plain", body: "no" });
  const response = await post(BATCH_CONTENT_TYPE, batchOf([batchItem(message)]));
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { results: [{ id: "m-1", status: "failed" }] });
  const record = await bus.store.find("inbox", { id: "m-1", group: "g" });
  assert.equal(record?.state, "failed");
  await bus.stop();
});

for (const kind of ["a bus", "no store"] as const) {
  for (const format of ["batch", "message"] as const) {
    it(`one failure callback is sent for a body that does not fit, format ${format}, to ${kind}`, async () => {
      const Failed = defineMessage("it.failed", { body: failureReport });
      const Loose = defineMessage(Json.name, { body: z.unknown() });
      const told: string[] = [];
      const sent: Message[] = [];
      const ownVerify = verifySignature({ signingKeys: [KEY] });
      const sender = createBus({
        store: memoryStore(),
        transport: httpTransport({
          routes: { "#": "https://receiver.test/deliver" },
          signingKeys: [KEY],
          format,
          fetch: fetchFrom((request) => receiver.fetch(request)),
        }),
      }, [subscribe(Failed, { group: "g" }, ({ code }) => void told.push(code))]);
      const senderApp = createApp(sender, { verify: ownVerify });
      const back = httpTransport({
        routes: { "#": "https://sender.test/deliver" },
        signingKeys: [KEY],
        format,
        fetch: fetchFrom((request) => senderApp.fetch(request)),
      });
      const transport = {
        ...back,
        capabilities: back.capabilities,
        routes: back.routes.bind(back),
        close: back.close.bind(back),
        send: (messages: readonly Message[], signal: AbortSignal) => {
          sent.push(...messages);
          return back.send(messages, signal);
        },
      };
      const bus = createBus({ store: memoryStore(), transport, service: "receiver" }, [
        subscribe(Json, { group: "g" }, () => {}),
      ]);
      const receiver: App = kind === "a bus"
        ? createApp(bus, { verify: ownVerify })
        : createStatelessApp([subscribe(Json, { group: "g" }, () => {})], {
          verify: ownVerify,
          transport,
          service: "receiver",
        });
      const { id } = await sender.publish(Loose, { n: "1" }, { failureCallback: Failed });
      for (const each of [sender, bus, sender]) await each.tick();
      assert.deepEqual(told, ["invalid_body"]);
      const record = await sender.store.find("outbox", { id, group: "" });
      // A receiver that stored the message reports it, and otherwise the sender does.
      assert.equal(record?.state, kind === "a bus" ? "succeeded" : "failed");
      assert.equal(sent.length, kind === "a bus" ? 1 : 0);
      await Promise.all([sender.stop(), bus.stop()]);
    });
  }
}
