/**
 * A TCP proxy that cuts connections at chosen bytes, or at a moment of a commit. The
 * crash run puts one between each process and its database, and one in front of each service.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Moment } from "./plan.ts";
import { POSTGRES, type Wire } from "./wire.ts";

interface Link {
  readonly client: Socket;
  readonly target: Socket;
  /** How many bytes still pass; null if no cut is planned. */
  bytesLeft: number | null;
  /** Whether the cut is a reset instead of an orderly end. */
  isReset: boolean;
  /** Called instead of passing the answer to a commit on. */
  atAnswer: (() => void) | null;
}

/** What happens at a moment of a commit. */
interface Ambush {
  readonly moment: Moment;
  readonly isReset: boolean;
  /** Called at that moment. The connection ends after it. */
  readonly act: () => void;
}

/** Forwards connections to targets that may change, in turn. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #targets: () => readonly number[];
  readonly #wire: Wire;
  #turn = 0;
  #ambush: Ambush | null = null;
  /** When a commit was last passed on, as `performance.now()` says. */
  lastCommitAt = -Infinity;
  /** How many connections were cut. */
  cuts = 0;

  private constructor(targets: () => readonly number[], wire: Wire) {
    this.#targets = targets;
    this.#wire = wire;
    this.#server = createServer((client) => this.#link(client));
  }

  /** Starts a proxy in front of the ports that `targets` returns at the time. `wire` says what a commit is. */
  static async start(
    targets: () => readonly number[],
    wire: Wire = POSTGRES,
  ): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(targets, wire);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** Its port. */
  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Cuts the connection at a share of those that are open, after some more bytes. */
  cut(share: number, bytes: number, isReset: boolean): void {
    const open = [...this.#links].filter(({ bytesLeft }) => bytesLeft === null);
    const link = open[Math.floor(share * open.length)];
    if (link === undefined) return;
    link.bytesLeft = bytes;
    link.isReset = isReset;
  }

  /**
   * Calls `act` at a moment of the next commit, and then ends its connection. The returned function gives up; it
   * returns false if `act` was called.
   */
  atNextCommit(moment: Moment, isReset: boolean, act: () => void): () => boolean {
    let isDone = false;
    const ambush = {
      moment,
      isReset,
      act: () => {
        isDone = true;
        act();
      },
    };
    this.#ambush = ambush;
    return () => {
      if (this.#ambush === ambush) this.#ambush = null;
      for (const link of this.#links) link.atAnswer = null;
      return !isDone;
    };
  }

  /** Ends every connection. */
  endAll(): void {
    for (const link of this.#links) this.#end(link);
  }

  /** Ends every connection and stops listening. */
  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.endAll();
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
    const link: Link = { client, target, bytesLeft: null, isReset: false, atAnswer: null };
    this.#links.add(link);
    for (const [from, to] of [[client, target], [target, client]] as const) {
      from.setNoDelay(true);
      from.on("data", (chunk: Buffer) => {
        const isStopped = from === client
          ? this.#fromClient(link, chunk)
          : this.#fromTarget(link, chunk);
        if (!isStopped) this.#pass(link, chunk, to);
      });
      from.on("error", () => this.#end(link));
      from.on("close", () => this.#end(link));
    }
  }

  /** Looks for a commit; true if the bytes are dealt with. */
  #fromClient(link: Link, chunk: Buffer): boolean {
    // Behind a cut nothing may pass: a commit behind lost statements would commit half a transaction.
    if (link.bytesLeft !== null || chunk.indexOf(this.#wire.commit) === -1) return false;
    const ambush = this.#ambush;
    if (ambush?.moment !== "before the commit") this.lastCommitAt = performance.now();
    if (ambush === null) return false;
    this.#ambush = null;
    const cut = () => {
      link.isReset = ambush.isReset;
      this.cuts += 1;
      ambush.act();
      this.#end(link);
    };
    if (ambush.moment === "before the commit") cut();
    else if (ambush.moment === "commit sent") link.target.write(chunk, cut);
    else {
      link.target.write(chunk);
      link.atAnswer = cut;
    }
    return true;
  }

  /** Looks for the answer to a commit; true if the bytes are dealt with. */
  #fromTarget(link: Link, chunk: Buffer): boolean {
    if (link.atAnswer === null || chunk.indexOf(this.#wire.committed) === -1) return false;
    link.atAnswer();
    return true;
  }

  #pass(link: Link, chunk: Buffer, to: Socket): void {
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
