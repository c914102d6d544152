/**
 * The task that measures the edge app: how many signed requests its delivery route takes, and for
 * comparison a route that only verifies the signature.
 *
 * @module
 */
import { Hono } from "hono";
import { messageRequestId } from "../../../http/signature_id.ts";
import { Signer } from "../../../http/signature.ts";
import { verifySignature } from "../../../adapters/http/mod.ts";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import { createApp } from "../../../edge/mod.ts";
import { createBus, subscribe } from "../../../mod.ts";
import { BenchMessage } from "../../subjects/atlast_message.ts";
import { createBody } from "../../subjects/message_body.ts";

const KEY = btoa("a key that is long enough for the bench");
const CONCURRENCY = 10;
/** How many requests are signed before the measurement. They are sent again and again: most are duplicates. */
const REQUESTS = 2_000;

type Fetch = (request: Request) => Response | Promise<Response>;

/** Measures requests a second. */
export async function measureEdge(verifyOnly: boolean, durationMs: number): Promise<number> {
  const fetch = verifyOnly ? createVerifyingRoute() : createDeliveryRoute();
  const signed = await Promise.all(Array.from({ length: REQUESTS }, (_, n) => signRequest(n)));
  await measureRate(fetch, signed, durationMs / 5);
  return await measureRate(fetch, signed, durationMs);
}

function createVerifyingRoute(): Fetch {
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

function createDeliveryRoute(): Fetch {
  const bus = createBus({ store: memoryStore(), transport: inProcessTransport() }, [
    subscribe(BenchMessage, { group: "bench" }, () => {}),
  ]);
  return createApp(bus, { verify: verifySignature({ signingKeys: [KEY] }) }).fetch;
}

async function measureRate(
  fetch: Fetch,
  signed: readonly { headers: Headers; body: string }[],
  durationMs: number,
): Promise<number> {
  const startMs = performance.now();
  let count = 0;
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
    while (performance.now() - startMs < durationMs) {
      const { headers, body } = signed[count++ % signed.length] as typeof signed[number];
      const request = new Request("http://localhost/deliver", { method: "POST", headers, body });
      const response = await fetch(request);
      if (response.status !== 200) {
        throw new Error(
          `Cannot measure the edge: the route answered ${response.status} ${await response.text()}`,
        );
      }
    }
  }));
  return count / (performance.now() - startMs) * 1000;
}

async function signRequest(n: number): Promise<{ headers: Headers; body: string }> {
  const body = JSON.stringify(createBody(n));
  const headers = new Headers({
    "content-type": "application/json",
    "cap-msg-id": crypto.randomUUID(),
    "cap-msg-name": BenchMessage.name,
    "cap-senttime": new Date().toISOString(),
  });
  const id = await messageRequestId(headers);
  const signature = await new Signer([KEY]).headersFor(id, new TextEncoder().encode(body));
  for (const [name, value] of Object.entries(signature)) headers.set(name, value);
  return { headers, body };
}
