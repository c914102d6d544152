/**
 * The stream transport on a private server, and what its tests do to it.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import {
  type UpstashStreamTransport,
  upstashStreamTransport,
  type UpstashStreamTransportOptions,
} from "../../adapters/upstash_redis/mod.ts";
import type { Message } from "../../mod.ts";
import type { DeliveryResult } from "../../ports.ts";
import type { PullResult } from "../../ports.ts";
import type { UpstashRedis } from "./upstash_redis.ts";

/** What a pull brought. */
export interface Pulled extends PullResult {
  /** The messages that were handed over, in the calls that they came in. */
  readonly calls: readonly (readonly Message[])[];
  /** The ids of all of them. */
  readonly ids: readonly string[];
}

/** What a test's receiver makes of a message. */
export type Take = (message: Message) => DeliveryResult | Promise<DeliveryResult>;

/** Takes everything. */
export const ACCEPT: Take = () => ({ kind: "accepted" });

/** Streams under a prefix of their own. */
export class Streams {
  /** What their keys begin with. */
  readonly prefix: string = randomUUID();
  readonly #upstash: UpstashRedis;
  // Entries are as old as the server says, which is in the present.
  #nowMs = Date.now();

  constructor(upstash: UpstashRedis) {
    this.#upstash = upstash;
  }

  /** The transport of one process of a group. */
  process(
    group: string,
    options: Partial<UpstashStreamTransportOptions> = {},
  ): UpstashStreamTransport {
    return upstashStreamTransport({
      redis: this.#upstash.connect(),
      prefix: this.prefix,
      group,
      ...options,
    });
  }

  /** The key of a name's stream. */
  key(name: string): string {
    return `{${this.prefix}}:stream:${name}`;
  }

  /** Makes the streams of names, as a group leaves them that took them once and was removed since. */
  async make(...names: readonly string[]): Promise<void> {
    const { redis } = this.#upstash;
    for (const name of names) {
      await redis.exec(["XGROUP", "CREATE", this.key(name), "once", 0, "MKSTREAM"]);
      await redis.exec(["XGROUP", "DESTROY", this.key(name), "once"]);
      await redis.exec(["SADD", `{${this.prefix}}:names`, name]);
    }
  }

  /** Moves the time on. */
  advance(ms: number): void {
    this.#nowMs += ms;
  }

  /** When it is. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Pulls once. */
  async pull(
    transport: UpstashStreamTransport,
    patterns: readonly string[],
    take: Take = ACCEPT,
    limit = 100,
  ): Promise<Pulled> {
    const calls: Message[][] = [];
    const { signal } = new AbortController();
    const request = { patterns, limit, nowMs: this.#nowMs, signal };
    const result = await transport.pull(request, async (messages) => {
      calls.push([...messages]);
      return await Promise.all(messages.map(take));
    });
    return { ...result, calls, ids: calls.flat().map(({ id }) => id) };
  }

  /** Makes every pending entry of a group as old as if nobody had cared for it for `idleMs`. */
  async age(name: string, group: string, idleMs: number, deliveries?: number): Promise<void> {
    const { redis } = this.#upstash;
    const key = this.key(name);
    for (const [id, consumer] of await this.pending(name, group)) {
      const count = deliveries === undefined ? [] : ["RETRYCOUNT", deliveries];
      await redis.exec(["XCLAIM", key, group, consumer, 0, id, "IDLE", idleMs, ...count, "JUSTID"]);
    }
  }

  /** The pending entries of a group: id, consumer, idle time, deliveries. */
  async pending(name: string, group: string): Promise<[string, string, number, number][]> {
    return await this.#upstash.redis.exec(["XPENDING", this.key(name), group, "-", "+", 10_000]);
  }

  /** Lets the next process that asks have its turn at once. */
  async endTurns(): Promise<void> {
    const { redis } = this.#upstash;
    const keys = await redis.keys(`{${this.prefix}}:turn:*`);
    if (keys.length > 0) await redis.del(...keys);
  }
}
