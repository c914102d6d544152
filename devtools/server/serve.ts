/**
 * Serves a fetch handler on a port of this machine, for servers of development and tests. It uses
 * `node:http`, which Deno, Bun and Node all have.
 *
 * @module
 */
import { aNumber, aText, checkOptions } from "../../core/check_options.ts";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { listen, type Served, type ServeOptions } from "./listen.ts";

/** A fetch handler. */
export type Handle = (request: Request) => Response | Promise<Response>;

const aPort = aNumber({ whole: true, least: 0, most: 65_535 });
const SERVE_OPTIONS = { hostname: aText, maxHeaderBytes: aNumber({ whole: true, least: 1 }) };

/**
 * Serves a fetch handler. If the handler rejects, the connection is closed without an answer, which tests use
 * to lose an answer.
 *
 * @throws {AtlastError} `invalid_option`, or the system's error for a port that is taken or not allowed.
 */
export async function serve(handle: Handle, options: ServeOptions): Promise<Served> {
  checkOptions("serve with", options, SERVE_OPTIONS, { port: aPort });
  const { maxHeaderBytes } = options;
  const settings = maxHeaderBytes === undefined ? {} : { maxHeaderSize: maxHeaderBytes };
  const server = createServer(settings, (incoming, outgoing) => {
    answer(handle, incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  return await listen(server, options);
}

async function answer(
  handle: Handle,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const request = requestOf(incoming);
  const response = await handle(request);
  // The unread rest of a body must be read from the connection, or its next request waits behind it.
  if (request.body !== null && !incoming.complete) {
    await request.body.pipeTo(new WritableStream());
  }
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.headers.get("content-type")?.startsWith("text/event-stream") && response.body) {
    outgoing.flushHeaders();
    await pipeline(Readable.fromWeb(response.body), outgoing);
  } else {
    outgoing.end(new Uint8Array(await response.arrayBuffer()));
  }
}

function requestOf(incoming: IncomingMessage): Request {
  const headers = new Headers();
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at]!, incoming.rawHeaders[at + 1]!);
  }
  const method = incoming.method ?? "GET";
  const init: RequestInit & { duplex?: "half" } = { method, headers };
  if (method !== "GET" && method !== "HEAD") {
    init.body = Readable.toWeb(incoming) as ReadableStream<Uint8Array>;
    init.duplex = "half";
  }
  return new Request(`http://${incoming.headers.host ?? "localhost"}${incoming.url}`, init);
}
