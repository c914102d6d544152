/**
 * `/subscribe` and `/psubscribe`: published messages as a stream of server-sent events.
 *
 * @module
 */
import type { Redis } from "ioredis";
import type { CheckedOptions } from "./options.ts";
import { connected, disconnected, redisClient } from "./redis_connection.ts";

/** The subscription of a request. */
interface Subscription {
  /** `subscribe` for a channel, `psubscribe` for a pattern. */
  readonly kind: "subscribe" | "psubscribe";
  /** The channel or the pattern. */
  readonly channel: string;
}

/** The subscription of the path `/subscribe/<channel>` or `/psubscribe/<pattern>`; null for any other path. */
export function subscriptionOf(request: Request): Subscription | null {
  const [, kind, name] = /^\/(p?subscribe)\/([^/]+)$/.exec(new URL(request.url).pathname) ?? [];
  if (kind === undefined || request.method !== "POST") return null;
  return { kind: kind as Subscription["kind"], channel: percentDecoded(name!) };
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The streams that are open, each with a connection of its own. */
export class Subscriptions {
  readonly #options: CheckedOptions;
  readonly #open = new Set<() => Promise<void>>();

  constructor(options: CheckedOptions) {
    this.#options = options;
  }

  /**
   * A stream of events such as `data: message,<channel>,<text>`, which ends when it is cancelled or the proxy closes.
   *
   * @throws {NoRedis}
   */
  async open({ kind, channel }: Subscription): Promise<ReadableStream<Uint8Array>> {
    const redis = redisClient(this.#options.redisUrl);
    const end = (): Promise<void> => {
      this.#open.delete(end);
      return disconnected(redis);
    };
    this.#open.add(end);
    try {
      await connected(redis, this.#options.waitMs);
      const events = eventsOf(redis, end);
      const count = await redis[kind](channel);
      events.write(`${kind},${channel},${count}`);
      return events.stream;
    } catch (error) {
      await end();
      throw error;
    }
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((end) => end()));
  }
}

function eventsOf(
  redis: Redis,
  end: () => Promise<void>,
): { stream: ReadableStream<Uint8Array>; write(event: string): void } {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  const stream = new ReadableStream<Uint8Array>({
    start: (started) => void (controller = started),
    cancel: () => {
      controller = null;
      return end();
    },
  });
  const write = (event: string): void => {
    // A line break would end the event, so each line is marked as data.
    const lines = event.split("\n").map((line) => `data: ${line}\n`);
    controller?.enqueue(encoder.encode(`${lines.join("")}\n`));
  };
  redis.on("message", (channel, text) => write(`message,${channel},${text}`));
  redis.on("pmessage", (pattern, channel, text) => {
    write(`pmessage,${pattern},${channel},${text}`);
  });
  redis.once("end", () => {
    controller?.close();
    controller = null;
  });
  return { stream, write };
}
