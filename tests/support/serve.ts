/**
 * A fetch handler, or one of `node:http`, behind a real HTTP server.
 *
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listen } from "../../devtools/server/listen.ts";
import { type Handle, serve as serveOn } from "../../devtools/server/serve.ts";

/** A server on a free port of localhost. */
export interface TestServer {
  /** Its origin, without a slash at the end. */
  readonly origin: string;
  /** Ends it, and whatever connection is still open. */
  close(): Promise<void>;
}

/** Serves a fetch handler on a free port. */
export async function serve(handle: Handle): Promise<TestServer> {
  const { url, close } = await serveOn(handle, { port: 0 });
  return { origin: url, close };
}

/** Serves a handler of `node:http`, for answers that no fetch handler gives. */
export async function serveRaw(
  handle: (incoming: IncomingMessage, outgoing: ServerResponse) => void | Promise<void>,
): Promise<TestServer> {
  const server = createServer((incoming, outgoing) => void handle(incoming, outgoing));
  const { url, close } = await listen(server, { port: 0 });
  return { origin: url, close };
}
