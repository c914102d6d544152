/**
 * A TCP proxy that cuts connections at random bytes. The torture run puts it between the services and their
 * database, and in front of each service.
 *
 * @module
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";

/** The most bytes that still pass before a connection is cut. */
const MAX_BYTES_LEFT = 3_000;

interface Link {
  readonly client: Socket;
  readonly target: Socket;
  /** How many bytes still pass; null if no cut is planned. */
  bytesLeft: number | null;
  /** Whether the cut is a reset instead of an orderly end. */
  isReset: boolean;
}

/** Forwards connections to targets that may change, in turn. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #targets: () => readonly number[];
  readonly #random: () => number;
  #turn = 0;
  /** How many connections were cut. */
  cuts = 0;

  private constructor(targets: () => readonly number[], random: () => number) {
    this.#targets = targets;
    this.#random = random;
    this.#server = createServer((client) => this.#link(client));
  }

  /** Starts a proxy in front of the ports that `targets` returns at the time. */
  static async start(
    targets: () => readonly number[],
    random: () => number,
  ): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(targets, random);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** Its port. */
  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Cuts one open connection after some more bytes. */
  cut(): void {
    const open = [...this.#links].filter(({ bytesLeft }) => bytesLeft === null);
    const link = open[Math.floor(this.#random() * open.length)];
    if (link === undefined) return;
    link.bytesLeft = Math.floor(this.#random() * MAX_BYTES_LEFT);
    link.isReset = this.#random() < 0.5;
  }

  /** Ends every connection and stops listening. */
  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const link of this.#links) this.#end(link);
    await closed;
  }

  #link(client: Socket): void {
    const targets = this.#targets();
    const port = targets[this.#turn++ % Math.max(1, targets.length)];
    if (port === undefined) {
      client.on("error", () => {}).destroy();
      return;
    }
    const target = connect(port, "127.0.0.1");
    const link: Link = { client, target, bytesLeft: null, isReset: false };
    this.#links.add(link);
    for (const [from, to] of [[client, target], [target, client]] as const) {
      from.setNoDelay(true);
      from.on("data", (chunk: Uint8Array) => this.#pass(link, chunk, to));
      from.on("error", () => this.#end(link));
      from.on("close", () => this.#end(link));
    }
  }

  #pass(link: Link, chunk: Uint8Array, to: Socket): void {
    if (link.bytesLeft === null) {
      to.write(chunk);
      return;
    }
    const passing = chunk.subarray(0, link.bytesLeft);
    link.bytesLeft -= passing.length;
    if (passing.length === chunk.length) {
      to.write(chunk);
      return;
    }
    this.cuts += 1;
    // The passed bytes must be sent before the connection ends.
    to.write(passing, () => this.#end(link));
  }

  #end(link: Link): void {
    if (!this.#links.delete(link)) return;
    for (const socket of [link.client, link.target]) {
      if (link.isReset) socket.resetAndDestroy();
      else socket.destroy();
    }
  }
}
