/**
 * A TCP proxy before a server that cuts connections at chosen bytes, or stops passing bytes on.
 *
 * @module
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** After how many bytes, in both directions together, a new connection is cut; Infinity for never. */
export type Budget = () => number;

/** A proxy on a port of its own. */
export class CuttingProxy {
  /** How many connections were cut. */
  cuts = 0;
  /** When the next connections are cut. */
  budget: Budget = () => Infinity;
  readonly #server: Server;
  readonly #closed: Promise<unknown>;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  #isHole = false;

  private constructor(port: number) {
    this.#port = port;
    // Half-open, so that in a hole not even the end of a connection is answered.
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
    this.#closed = once(this.#server, "close");
  }

  /** Starts a proxy before the port of a server on this machine. */
  static async before(port: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(port);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** Where it listens. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on no open connection passes anything on or is closed; new ones work. */
  hang(): void {
    for (const socket of this.#sockets) socket.emit("hang");
  }

  /** From now on new connections hang too, until `false`. */
  set hole(isHole: boolean) {
    this.#isHole = isHole;
  }

  /** From now on new connections are refused; those that are open go on. */
  refuse(): void {
    this.#server.close();
  }

  /** Cuts every open connection. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#server.close();
    this.cutAll();
    await this.#closed;
  }

  #accept(client: Socket): void {
    const server = connect(this.#port, "127.0.0.1");
    let left = this.budget();
    let hangs = this.#isHole;
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#sockets.add(from);
      from.once("hang", () => hangs = true);
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        if (!hangs) to.destroy();
      });
      from.on("end", () => {
        if (!hangs) to.end();
      });
      from.on("data", (bytes) => {
        if (hangs) return;
        if (bytes.length < left) {
          left -= bytes.length;
          to.write(bytes);
          return;
        }
        this.cuts += 1;
        // What fits is passed on, so that the other end may have done what it says.
        to.end(bytes.subarray(0, Math.max(left, 0)), () => client.destroy());
        hangs = false;
        left = 0;
        from.destroy();
      });
    }
  }
}
