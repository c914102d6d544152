/**
 * Notifications between processes through LISTEN and NOTIFY.
 *
 * @module
 */
import type { Notification } from "./wakeups.ts";
import type { HealthWarning } from "../../core/ports/health_warning.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Wakeups } from "./wakeups.ts";
import { NotifyThrottle } from "./notify_throttle.ts";

/** The part of a database that notifications need. */
interface Notifier {
  /** Sends a payload to all listeners of a channel. */
  notify(channel: string, payload: string): Promise<unknown>;
  /** Listens; `onListen` is called each time listening begins, also after a lost connection. */
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen: () => void,
  ): Promise<{ unlisten(): Promise<unknown> }>;
}

/** Postgres truncates channel names to the length of an identifier. */
const MAX_CHANNEL_LENGTH = 63;

/**
 * The least time between two notifications in transactions of the user, in milliseconds. Such transactions commit
 * one at a time: with a notification in each, commits were measured at a half at ten connections, and at a sixth to
 * a half at fifty.
 */
const AT_COMMIT_MS = 50;

/** How long a notification to this process may take, in milliseconds. */
const ARRIVAL_MS = 5_000;

const DEAF: HealthWarning = {
  code: "notifications_lost",
  message:
    "Notifications of other processes do not arrive, so the bus polls each second. A pooler that shares " +
    "connections between transactions does not pass them on: connect without it, or set pollMs",
};

interface Test {
  resolve(hasArrived: boolean): void;
  reject(error: Error): void;
}

/**
 * Notifications on one channel.
 *
 * NOTIFY is rarely part of a transaction that writes: its commit takes a lock of the whole server. It is sent
 * separately, once for all calls within `intervalMs`. Only the first one after a pause may be part of the statement
 * that writes (see {@linkcode NotifyChannel.aboard}), or of a transaction of the user (see {@linkcode
 * NotifyChannel.atCommit}).
 */
export class NotifyChannel implements Wakeups {
  readonly #notifier: Notifier;
  readonly #name: string;
  /** Distinguishes the notifications of this store's buses from those of others. */
  readonly #id = crypto.randomUUID();
  /** Distinguishes the buses of this store. */
  readonly #senders = new WeakMap<object, string>();
  #sendersCount = 0;
  #atCommitMs = -Infinity;
  #isDeaf = false;
  /** Notifications to this process that are on their way, by their payload. */
  readonly #tests = new Map<string, Test>();
  readonly #intervalMs: number;
  /** The pauses between notifications, by their payload, so that those of one bus are not taken for another's. */
  readonly #throttles = new Map<string, NotifyThrottle>();

  constructor(notifier: Notifier, schema: string, intervalMs: number) {
    this.#notifier = notifier;
    this.#name = `atlast_${schema}`.slice(0, MAX_CHANNEL_LENGTH);
    this.#intervalMs = intervalMs;
  }

  notify(box: Box, sender: object = this): Promise<void> {
    return this.#throttle(this.#payload(box, sender)).run();
  }

  aboard(box: Box, sender: object = this): Notification | null {
    const payload = this.#payload(box, sender);
    return this.#throttle(payload).take() ? { channel: this.#name, payload } : null;
  }

  atCommit(box: Box, sender: object = this): Notification | null {
    const nowMs = performance.now();
    if (nowMs - this.#atCommitMs < AT_COMMIT_MS) return null;
    this.#atCommitMs = nowMs;
    return { channel: this.#name, payload: this.#payload(box, sender) };
  }

  async listen(wake: (box: Box) => void, sender: object = this): Promise<() => Promise<void>> {
    const own = this.#idOf(sender);
    let lost = false;
    const { unlisten } = await this.#notifier.listen(
      this.#name,
      (payload) => {
        this.#tests.get(payload)?.resolve(true);
        const [from, box] = payload.split(" ");
        if (from !== own && (box === "outbox" || box === "inbox")) wake(box);
      },
      () => {
        // Notifications sent while the connection was lost did not arrive.
        if (lost) { for (const box of ["outbox", "inbox"] as const) wake(box); }
        lost = true;
      },
    );
    let isStopped = false;
    return async () => {
      if (isStopped) return;
      isStopped = true;
      await unlisten();
    };
  }

  /** Behind a pooler that shares connections between transactions LISTEN succeeds, and nothing arrives. */
  async isNotified(): Promise<boolean> {
    const payload = `${this.#id} ${crypto.randomUUID()}`;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      this.#isDeaf = !await new Promise<boolean>((resolve, reject) => {
        this.#tests.set(payload, { resolve, reject });
        timer = setTimeout(() => resolve(false), ARRIVAL_MS);
        this.#notifier.notify(this.#name, payload).catch(reject);
      });
      return !this.#isDeaf;
    } finally {
      clearTimeout(timer);
      this.#tests.delete(payload);
    }
  }

  /** What an operator should know of it. */
  get warnings(): readonly HealthWarning[] {
    return this.#isDeaf ? [DEAF] : [];
  }

  /** Others may share the store: each ends its own listening. */
  async close(): Promise<void> {
    for (const { reject } of this.#tests.values()) reject(new Error("The store was closed"));
    const throttles = [...this.#throttles.values()];
    this.#throttles.clear();
    await Promise.all(throttles.map((throttle) => throttle.end()));
  }

  #throttle(payload: string): NotifyThrottle {
    const known = this.#throttles.get(payload);
    if (known !== undefined) return known;
    // A program may make a bus for each request, and never stop it.
    for (const [other, { isAtRest }] of this.#throttles) {
      if (isAtRest) this.#throttles.delete(other);
    }
    const throttle = new NotifyThrottle(() => this.#send(payload), this.#intervalMs);
    this.#throttles.set(payload, throttle);
    return throttle;
  }

  async #send(payload: string): Promise<void> {
    try {
      await this.#notifier.notify(this.#name, payload);
    } catch {
      // Best effort: a process that missed it finds the work when it polls.
    }
  }

  #payload(box: Box, sender: object): string {
    return `${this.#idOf(sender)} ${box}`;
  }

  #idOf(sender: object): string {
    let id = this.#senders.get(sender);
    if (id === undefined) this.#senders.set(sender, id = `${this.#id}.${this.#sendersCount++}`);
    return id;
  }
}
