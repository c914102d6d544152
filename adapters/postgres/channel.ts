/**
 * Wake-ups between processes through LISTEN and NOTIFY.
 *
 * @module
 */
import type { Wakeups } from "./sql_store.ts";

/** What of a database wake-ups need. */
export interface Notifier {
  /** Sends a payload to all that listen on a channel. */
  notify(channel: string, payload: string): Promise<unknown>;
  /** Listens; `onListen` is called each time listening begins, also after a lost connection. */
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen: () => void,
  ): Promise<{ unlisten(): Promise<unknown> }>;
}

/** Channel names are cut off at the length of an identifier. */
const MAX_CHANNEL_LENGTH = 63;

/**
 * Wake-ups on one channel.
 *
 * NOTIFY is never part of a transaction that writes: its commit takes a lock of the whole server,
 * which was measured to cut commits at ten connections to a third. It goes by itself, and once for all
 * who asked within `intervalMs`.
 */
export class Channel implements Wakeups {
  readonly #notifier: Notifier;
  readonly #name: string;
  readonly #intervalMs: number;
  /** Tells own notifications from those of others. */
  readonly #sender = crypto.randomUUID();
  readonly #stops = new Set<() => Promise<void>>();
  #pause: Promise<void> | null = null;
  #endPause: () => void = () => {};
  #waiting: Promise<void> | null = null;

  constructor(notifier: Notifier, schema: string, intervalMs: number) {
    this.#notifier = notifier;
    this.#name = `atlast_${schema}`.slice(0, MAX_CHANNEL_LENGTH);
    this.#intervalMs = intervalMs;
  }

  notify(): Promise<void> {
    if (this.#pause === null) return this.#send();
    this.#waiting ??= this.#pause.then(() => {
      this.#waiting = null;
      return this.#send();
    });
    return this.#waiting;
  }

  async listen(wake: () => void): Promise<() => Promise<void>> {
    let lost = false;
    const { unlisten } = await this.#notifier.listen(
      this.#name,
      (sender) => {
        if (sender !== this.#sender) wake();
      },
      () => {
        // What was sent while the connection was lost is lost too.
        if (lost) wake();
        lost = true;
      },
    );
    const stop = async () => {
      if (this.#stops.delete(stop)) await unlisten();
    };
    this.#stops.add(stop);
    return stop;
  }

  async close(): Promise<void> {
    this.#endPause();
    await this.#waiting;
    this.#endPause();
    await Promise.all([...this.#stops].map((stop) => stop()));
  }

  async #send(): Promise<void> {
    this.#pause = new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#endPause(), this.#intervalMs);
      this.#endPause = () => {
        clearTimeout(timer);
        this.#pause = null;
        this.#endPause = () => {};
        resolve();
      };
    });
    try {
      await this.#notifier.notify(this.#name, this.#sender);
    } catch {
      // Best effort: the poll of whoever missed it finds the work.
    }
  }
}
