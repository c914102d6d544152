/**
 * Notifications between processes through LISTEN and NOTIFY.
 *
 * @module
 */
import type { Notification } from "../sql/wakeups.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Wakeups } from "../sql/wakeups.ts";
import { NotifyThrottle } from "./notify_throttle.ts";

/** What of a database wake-ups need. */
interface Notifier {
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
 * NOTIFY is hardly ever part of a transaction that writes: its commit takes a lock of the whole server,
 * which was measured to cut commits at ten connections to a third. It goes by itself, and once for all
 * who asked within `intervalMs`; only one that comes after a lull may travel {@linkcode NotifyChannel.aboard}
 * the statement that writes.
 */
export class NotifyChannel implements Wakeups {
  readonly #notifier: Notifier;
  readonly #name: string;
  /** Tells own notifications from those of others. */
  readonly #sender = crypto.randomUUID();
  readonly #stops = new Set<() => Promise<void>>();
  readonly #throttles: Readonly<Record<Box, NotifyThrottle>>;

  constructor(notifier: Notifier, schema: string, intervalMs: number) {
    this.#notifier = notifier;
    this.#name = `atlast_${schema}`.slice(0, MAX_CHANNEL_LENGTH);
    this.#throttles = {
      outbox: new NotifyThrottle(() => this.#send("outbox"), intervalMs),
      inbox: new NotifyThrottle(() => this.#send("inbox"), intervalMs),
    };
  }

  notify(box: Box): Promise<void> {
    return this.#throttles[box].run();
  }

  aboard(box: Box): Notification | null {
    if (!this.#throttles[box].take()) return null;
    return { channel: this.#name, payload: this.#payload(box) };
  }

  async listen(wake: (box: Box) => void): Promise<() => Promise<void>> {
    let lost = false;
    const { unlisten } = await this.#notifier.listen(
      this.#name,
      (payload) => {
        const [sender, box] = payload.split(" ");
        if (sender !== this.#sender && (box === "outbox" || box === "inbox")) wake(box);
      },
      () => {
        // What was sent while the connection was lost is lost too.
        if (lost) { for (const box of ["outbox", "inbox"] as const) wake(box); }
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
    await Promise.all(Object.values(this.#throttles).map((throttle) => throttle.end()));
    await Promise.all([...this.#stops].map((stop) => stop()));
  }

  async #send(box: Box): Promise<void> {
    try {
      await this.#notifier.notify(this.#name, this.#payload(box));
    } catch {
      // Best effort: the poll of whoever missed it finds the work.
    }
  }

  #payload(box: Box): string {
    return `${this.#sender} ${box}`;
  }
}
