/**
 * A process with an edge app behind a real server, Deno's own or that of `@hono/node-server`. It says on its
 * output where it listens, and for each message it took how much memory the process had at the most: the
 * whole of it, as the buffers of chunks are outside of the heap.
 *
 * @module
 */
import process from "node:process";
import type { Receiver } from "../../core/ports/transport.ts";
import { createApp, type EdgeBus } from "../../edge/mod.ts";

const receiver: Receiver = {
  subscribes: () => true,
  deliver: (messages) =>
    Promise.resolve(messages.map(() => ({ kind: "handled", duplicate: false, reply: null }))),
};
// The routes that are asked for here need no more of a bus.
const { fetch: handle } = createApp(receiver as unknown as EdgeBus, {
  verify: () => ({ ok: true }),
});

const MB = 1_000_000;
let mostBytes = 0;
setInterval(look, 10);

async function measured(request: Request): Promise<Response> {
  mostBytes = 0;
  look();
  const before = mostBytes;
  const cpu = process.cpuUsage();
  const response = await handle(request);
  look();
  const { user, system } = process.cpuUsage(cpu);
  say({
    status: response.status,
    grownMb: (mostBytes - before) / MB,
    cpuMs: (user + system) / 1_000,
  });
  return response;
}

function look(): void {
  mostBytes = Math.max(mostBytes, process.memoryUsage().rss);
}

function say(value: unknown): void {
  console.log(JSON.stringify(value));
}

if ("Deno" in globalThis) {
  Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    onListen: ({ port }) => say({ origin: `http://127.0.0.1:${port}` }),
  }, measured);
} else {
  const { serve } = await import("@hono/node-server");
  serve(
    { fetch: measured, port: 0, hostname: "127.0.0.1" },
    ({ port }) => say({ origin: `http://127.0.0.1:${port}` }),
  );
}
