import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { httpTransport, verifySignature } from "../../adapters/http/mod.ts";
import { type App, createApp } from "../../edge/mod.ts";
import { fixture, Placed } from "../support/bus_fixture.ts";
import { FakeReceiver } from "../support/fake_receiver.ts";
import { KEY, send, testMessage } from "../support/http.ts";
import { serve, serveRaw, type TestServer } from "../support/serve.ts";

const verify = verifySignature({ signingKeys: [KEY] });

describe("a middleware that has read the body", () => {
  it("of an outer Hono app does not matter where Hono kept it", async () => {
    for (const read of ["text", "arrayBuffer", "blob", "json"] as const) {
      const receiver = new FakeReceiver();
      const outer = new Hono();
      outer.use(async (context, next) => {
        await context.req[read]();
        await next();
      });
      outer.route("/", createApp<Hono>(receiver, { verify }));
      const server = await serve(outer.fetch);
      const [result] = await send(`${server.origin}/deliver`, [
        testMessage({ body: `{ "n": 1 }` }),
      ]);
      await server.close();
      assert.deepEqual(result, { kind: "sent" }, read);
      assert.equal(receiver.delivered[0]?.body, `{ "n": 1 }`);
    }
  });

  const servers: [string, (app: App) => Promise<TestServer>][] = [
    ["of a fetch handler", (app) =>
      serve(async (request) => {
        await request.text();
        return await app.fetch(request);
      })],
    // What Express's `express.json()` and Fastify's parsers do before a handler runs.
    ["of Node's frameworks", (app) => {
      const listener = getRequestListener((request) => app.fetch(request));
      return serveRaw(async (incoming, outgoing) => {
        for await (const _ of incoming);
        await listener(incoming, outgoing);
      });
    }],
  ];
  for (const [what, start] of servers) {
    it(`${what} is said, and uses up no attempt`, async () => {
      const errors: string[] = [];
      const receiver = new FakeReceiver();
      const app = createApp(receiver, {
        verify,
        onError: (error) => void errors.push((error as Error).message),
      });
      const server = await start(app);
      const { bus } = fixture([], {
        transport: httpTransport({
          routes: { "#": `${server.origin}/deliver` },
          signingKeys: [KEY],
        }),
      });
      const { id } = await bus.publish(Placed, { n: 1 });
      await bus.tick();
      const record = await bus.store.find("outbox", { id, group: "" });
      await bus.stop();
      await server.close();
      assert.deepEqual(receiver.delivered, []);
      assert.deepEqual([record?.state, record?.attempts], ["scheduled", 0]);
      const said = /a middleware of this service has read it before/;
      assert.match(record?.reason ?? "", said);
      assert.match(errors.join(), said);
    });
  }
});
