/**
 * Lets a `node:http` server listen on a port of this machine.
 *
 * @module
 */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** The address to listen on. */
export interface ServeOptions {
  /** The port; a free one for 0. */
  readonly port: number;
  /**
   * The address.
   *
   * @default "127.0.0.1"
   */
  readonly hostname?: string;
  /**
   * The most bytes that the headers of a request may have.
   *
   * @default the platform's 16 KiB
   */
  readonly maxHeaderBytes?: number;
}

/** A listening server. */
export interface Served {
  /** Its origin, without a slash at the end. */
  readonly url: string;
  /** Stops listening, and ends the connections that are open. */
  close(): Promise<void>;
}

/**
 * Lets a server listen.
 *
 * @throws The system's error for a port that is taken or not allowed.
 */
export async function listen(server: Server, options: ServeOptions): Promise<Served> {
  const { port, hostname = "127.0.0.1" } = options;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, resolve);
  });
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => error === undefined ? resolve() : reject(error));
        server.closeAllConnections();
      }),
  };
}
