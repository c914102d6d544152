/**
 * How fast the edge takes signed deliveries, beside a bare route that checks the same signature.
 *
 * @module
 */
import { Hono } from "hono";
import { messageRequestId } from "../../../http/request_id.ts";
import { Signer } from "../../../http/signature.ts";
import { verifySignature } from "../../../adapters/http/mod.ts";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import { createApp } from "../../../edge/mod.ts";
import { createBus, defineMessage, type Schema, subscribe } from "../../../mod.ts";
import { bodyOf } from "../../subjects/subject.ts";

const KEY = btoa("a key that is long enough for the bench");
const AT_ONCE = 10;
/** Requests are signed before the time is taken, and taken round and round: the inbox knows them again. */
const REQUESTS = 2_000;

const anything: Schema<unknown> = {
  "~standard": { version: 1, vendor: "bench", validate: (value) => ({ value }) },
};
const Measured = defineMessage("bench.measured", { body: anything });

type Fetch = (request: Request) => Response | Promise<Response>;

/** Requests a second; of `bare`, the route that only verifies. */
export async function measureEdge(bare: boolean, durationMs: number): Promise<number> {
  const fetch = bare ? bareRoute() : deliveryRoute();
  const signed = await Promise.all(Array.from({ length: REQUESTS }, (_, n) => signedRequest(n)));
  await rate(fetch, signed, durationMs / 5);
  return await rate(fetch, signed, durationMs);
}

function bareRoute(): Fetch {
  const verify = verifySignature({ signingKeys: [KEY] });
  const app = new Hono();
  app.post("/deliver", async ({ req }) => {
    const body = new Uint8Array(await req.raw.arrayBuffer());
    const result = await verify(
      { method: req.raw.method, url: req.raw.url, headers: req.raw.headers },
      body,
    );
    return result.ok ? new Response(null, { status: 200 }) : new Response(null, { status: 401 });
  });
  return app.fetch;
}

function deliveryRoute(): Fetch {
  const bus = createBus({ store: memoryStore(), transport: inProcessTransport() }, [
    subscribe(Measured, { group: "bench" }, () => {}),
  ]);
  return createApp(bus, { verify: verifySignature({ signingKeys: [KEY] }) }).fetch;
}

async function rate(
  fetch: Fetch,
  signed: readonly { headers: Headers; body: string }[],
  durationMs: number,
): Promise<number> {
  const startMs = performance.now();
  let count = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (performance.now() - startMs < durationMs) {
      const { headers, body } = signed[count++ % signed.length] as typeof signed[number];
      const request = new Request("http://localhost/deliver", { method: "POST", headers, body });
      const response = await fetch(request);
      if (response.status !== 200) {
        throw new Error(`Cannot measure the edge: got ${response.status} ${await response.text()}`);
      }
    }
  }));
  return count / (performance.now() - startMs) * 1000;
}

async function signedRequest(n: number): Promise<{ headers: Headers; body: string }> {
  const body = JSON.stringify(bodyOf(n));
  const headers = new Headers({
    "content-type": "application/json",
    "cap-msg-id": crypto.randomUUID(),
    "cap-msg-name": Measured.name,
    "cap-senttime": new Date().toISOString(),
  });
  const id = await messageRequestId(headers);
  const signature = await new Signer([KEY]).headersFor(id, new TextEncoder().encode(body));
  for (const [name, value] of Object.entries(signature)) headers.set(name, value);
  return { headers, body };
}
