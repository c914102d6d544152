/**
 * Listens for notifications on a connection outside the pool, which is opened again when it is lost.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { within } from "../sql/statement_timeout.ts";
import type { PgClient, PgPoolParts } from "./client.ts";

/** The pauses before a lost connection is opened again, in milliseconds; the last repeats. */
const PAUSES_MS = [0, 100, 500, 2_000, 10_000];
/** How long a connection may take to open, in milliseconds. */
const CONNECT_MS = 10_000;
/** How long a connection may be silent before the operating system asks whether it still works, in milliseconds. */
const KEEP_ALIVE_MS = 60_000;

interface Listening {
  readonly channel: string;
  readonly onNotify: (payload: string) => void;
  readonly onListen: () => void;
}

/** Everything that listens through one pool, on one connection. */
export class Listener {
  readonly #pool: PgPoolParts;
  readonly #all = new Set<Listening>();
  #connecting: Promise<PgClient> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  /** The connection, while it is not lost. */
  #current: PgClient | null = null;
  /** Settles when the last statement has. */
  #last: Promise<void> = Promise.resolve();

  constructor(pool: PgPoolParts) {
    this.#pool = pool;
  }

  /** Listens on a channel until `unlisten` is called. */
  async listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen: () => void,
  ): Promise<{ unlisten(): Promise<void> }> {
    const listening = { channel, onNotify, onListen };
    this.#all.add(listening);
    try {
      await this.#send(await this.#connect(), `listen ${quoted(channel)}`);
    } catch (error) {
      await this.#remove(listening);
      throw error;
    }
    onListen();
    return { unlisten: () => this.#remove(listening) };
  }

  async #remove(listening: Listening): Promise<void> {
    const { channel } = listening;
    if (!this.#all.delete(listening)) return;
    const client = await this.#connecting?.catch(() => null);
    if (this.#all.size === 0) return this.#end(client ?? null);
    if ([...this.#all].some((other) => other.channel === channel)) return;
    // The connection may be lost; the next one does not listen on it.
    if (client) await this.#send(client, `unlisten ${quoted(channel)}`).catch(() => {});
  }

  /** Sends statements one after another, as the driver wants it. */
  #send(client: PgClient, text: string): Promise<unknown> {
    const sent = this.#last.then(() => client.query(text));
    this.#last = sent.then(() => {}, () => {});
    return sent;
  }

  #end(client: PgClient | null): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#connecting = null;
    client?.connection.stream.destroy();
  }

  #connect(): Promise<PgClient> {
    this.#connecting ??= this.#open().catch((error) => {
      this.#connecting = null;
      throw error;
    });
    return this.#connecting;
  }

  async #open(): Promise<PgClient> {
    const { Client, options } = this.#pool;
    if (Client === undefined) {
      throw new AtlastError(
        "unsupported",
        "Cannot listen for notifications: the pool has no class of clients, want a Pool of `pg`",
      );
    }
    const client = new Client(options);
    let isLost = false;
    const lost = () => {
      if (isLost) return;
      isLost = true;
      client.connection.stream.destroy();
      this.#lost(client);
    };
    client.on("error", lost);
    client.on("notification", (message) => {
      const { channel, payload = "" } = message as { channel: string; payload?: string };
      for (const each of this.#all) if (each.channel === channel) each.onNotify(payload);
    });
    try {
      await within(CONNECT_MS, "connect to listen for notifications", client.connect());
    } catch (error) {
      lost();
      throw error;
    }
    client.on("end", lost);
    client.connection.stream.setKeepAlive?.(true, KEEP_ALIVE_MS);
    this.#current = client;
    return client;
  }

  #lost(client: PgClient): void {
    if (this.#current !== client) return;
    this.#current = null;
    this.#connecting = null;
    this.#failures = 0;
    this.#again();
  }

  #again(): void {
    if (this.#all.size === 0 || this.#timer !== undefined) return;
    const pauseMs = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)];
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#reopen().catch(() => {
        this.#failures += 1;
        this.#again();
      });
    }, pauseMs);
  }

  async #reopen(): Promise<void> {
    const client = await this.#connect();
    for (const channel of new Set([...this.#all].map((each) => each.channel))) {
      await this.#send(client, `listen ${quoted(channel)}`);
    }
    for (const each of [...this.#all]) each.onListen();
    this.#failures = 0;
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
