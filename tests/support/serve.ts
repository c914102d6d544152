/**
 * A fetch handler behind a real HTTP server, made of `node:http` so that it runs on Deno, Bun and
 * Node alike.
 *
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";

/** A server on a free port of localhost. */
export interface TestServer {
  /** Its origin, without a slash at the end. */
  readonly origin: string;
  /** Ends it, and whatever connection is still open. */
  close(): Promise<void>;
}

/** Serves a fetch handler. A response that is `Response.error()` breaks the connection off. */
export function serve(
  handle: (request: Request) => Response | Promise<Response>,
): Promise<TestServer> {
  return serveRaw(async (incoming, outgoing) => {
    const request = requestOf(incoming);
    const response = await handle(request);
    // What a handler did not read must leave the connection, or its next request waits behind it.
    if (request.body !== null && !incoming.complete) {
      await request.body.pipeTo(new WritableStream());
    }
    if (response.type === "error") return void incoming.socket.destroy();
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(new Uint8Array(await response.arrayBuffer()));
  });
}

/** Serves a handler of `node:http`, for answers that no fetch handler gives. */
export async function serveRaw(
  handle: (incoming: IncomingMessage, outgoing: ServerResponse) => void | Promise<void>,
): Promise<TestServer> {
  const server = createServer((incoming, outgoing) => void handle(incoming, outgoing));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise<void>((resolve, reject) => {
        server.close((error) => error === undefined ? resolve() : reject(error));
        server.closeAllConnections();
      }),
  };
}

function requestOf(incoming: IncomingMessage): Request {
  const headers = new Headers();
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!);
  }
  const method = incoming.method ?? "GET";
  const init: RequestInit & { duplex?: "half" } = { method, headers };
  if (method !== "GET" && method !== "HEAD") {
    init.body = Readable.toWeb(incoming) as ReadableStream<Uint8Array>;
    init.duplex = "half";
  }
  return new Request(`http://${incoming.headers.host}${incoming.url}`, init);
}
