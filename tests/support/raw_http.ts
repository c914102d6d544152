/**
 * HTTP by hand, for requests that no client would send.
 *
 * @module
 */
import { connect } from "node:net";

/** What came back. */
export interface RawAnswer {
  /** The status; null when the connection was closed without an answer. */
  readonly status: number | null;
  /** All of the answer, as text. */
  readonly text: string;
}

/** A request that is written byte by byte. */
export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  /** Headers, a line each, beside `host` and `connection`; a name may stand twice. */
  readonly headers?: readonly (readonly [string, string])[];
  /** The body; `content-length` is set for it unless the headers have their own framing. */
  readonly body?: Uint8Array | string;
  /** Ends the sending side once all is written, as a caller that breaks off does. */
  readonly breaksOff?: boolean;
}

/** Sends a request over a connection of its own, and resolves with what came until it was closed. */
export function rawRequest(origin: string, request: RawRequest): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(origin);
  const { method = "POST", path, headers = [], breaksOff = false } = request;
  const body = typeof request.body === "string"
    ? new TextEncoder().encode(request.body)
    : request.body ?? new Uint8Array();
  const isFramed = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `host: ${host}`,
    "connection: close",
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(isFramed ? [] : [`content-length: ${body.length}`]),
  ];
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    const socket = connect(Number(port), hostname, () => {
      socket.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
      socket.write(body);
      if (breaksOff) socket.end();
    });
    socket.on("data", (chunk) => void chunks.push(new Uint8Array(chunk)));
    // A server may close on a caller that still writes; what it said before counts.
    socket.on("error", () => {});
    socket.on("close", () => {
      const text = chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
      const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
      resolve({ status: status === undefined ? null : Number(status), text });
    });
  });
}
