/**
 * An emulator with an HTTP server.
 *
 * @module
 */
import { anything, checkOptions } from "../../core/check_options.ts";
import { createQstashEmulator, type QstashEmulator } from "./emulator.ts";
import { EMULATOR_OPTIONS, type QstashEmulatorOptions } from "./options.ts";

/** What {@linkcode serveQstashEmulator} takes. */
export interface QstashServerOptions extends QstashEmulatorOptions {
  /**
   * The port.
   *
   * @default 0
   */
  readonly port?: number;
  /**
   * The address to listen on.
   *
   * @default "127.0.0.1"
   */
  readonly hostname?: string;
}

/** A running emulator. */
export interface QstashServer {
  /** Its URL, without a slash at the end: the `baseUrl` of a client. */
  readonly url: string;
  /** The emulator behind it. */
  readonly emulator: QstashEmulator;
  /** Ends the server and running deliveries. */
  close(): Promise<void>;
}

/** How many bytes of headers the server reads: more than the emulator allows, so that the emulator refuses them. */
const MAX_HEADER_BYTES = 1024 * 1024;

/**
 * Starts an emulator as a server, on Deno, Node and Bun alike.
 *
 * @throws {AtlastError} `invalid_option`, or the system's error for a port that is taken.
 */
export async function serveQstashEmulator(
  options: QstashServerOptions = {},
): Promise<QstashServer> {
  // Imported only here: the emulator itself needs no server, and runs on platforms without node:http.
  const { serve } = await import("../server/serve.ts");
  checkOptions("make a server with", options, {
    ...EMULATOR_OPTIONS,
    port: anything,
    hostname: anything,
  });
  const { port = 0, hostname = "127.0.0.1", ...own } = options;
  const emulator = createQstashEmulator(own);
  const { url, close } = await serve(emulator.fetch, {
    port,
    hostname,
    maxHeaderBytes: MAX_HEADER_BYTES,
  });
  return {
    url,
    emulator,
    async close() {
      await emulator.close();
      await close();
    },
  };
}
