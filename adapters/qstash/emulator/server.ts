/**
 * An emulator behind a real HTTP server.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createQstashEmulator, type QstashEmulator } from "./emulator.ts";
import type { QstashEmulatorOptions } from "./options.ts";

/** What {@linkcode serveQstashEmulator} takes. */
export interface QstashServerOptions extends QstashEmulatorOptions {
  /** The port; 0, if not given, takes a free one. */
  readonly port?: number;
  /** The address to listen at; `127.0.0.1` if not given. */
  readonly hostname?: string;
}

/** A running emulator. */
export interface QstashServer {
  /** Its URL, without a slash at the end: the `baseUrl` of a client. */
  readonly url: string;
  /** The emulator behind it. */
  readonly emulator: QstashEmulator;
  /** Ends the server and whatever is under way. */
  close(): Promise<void>;
}

/** How many bytes of headers the server reads: more than the emulator takes, so that it is what refuses. */
const MAX_HEADER_BYTES = 1024 * 1024;

/** Starts an emulator as a server, on Deno, Node and Bun alike. */
export async function serveQstashEmulator(
  options: QstashServerOptions = {},
): Promise<QstashServer> {
  // Only here: the emulator itself needs no server, and runs where there is no node:http.
  const { createServer } = await import("node:http");
  const { port = 0, hostname = "127.0.0.1" } = options;
  const emulator = createQstashEmulator(options);
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES },
    (incoming, outgoing) => void answer(emulator, incoming, outgoing),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, resolve);
  });
  const address = server.address();
  const taken = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${taken}`,
    emulator,
    async close() {
      await emulator.close();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

async function answer(
  emulator: QstashEmulator,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  try {
    const response = await emulator.fetch(requestOf(incoming));
    const body = new Uint8Array(await response.arrayBuffer());
    // What was not read must leave the connection, or its next request waits behind it.
    incoming.resume();
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(body);
  } catch {
    // A lost request or answer: the client sees its connection end.
    incoming.socket.destroy();
  }
}

/** The request as it was sent: a destination in its path is not touched. */
function requestOf(incoming: IncomingMessage): Request {
  const headers = new Headers();
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!);
  }
  const method = incoming.method ?? "GET";
  const init: RequestInit & { duplex?: "half" } = { method, headers };
  if (method !== "GET" && method !== "HEAD") {
    init.body = bytesOf(incoming);
    init.duplex = "half";
  }
  return new Request(`http://${incoming.headers.host ?? "localhost"}${incoming.url ?? "/"}`, init);
}

function bytesOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = incoming[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
  });
}
