/**
 * How scripts and commands reach Redis over HTTP.
 *
 * @module
 */
import type { Redis } from "@upstash/redis";
import { refusal } from "./redis_error.ts";

/**
 * The part of the official client that is used: that of `@upstash/redis`, of `@upstash/redis/cloudflare`, or of
 * any other entry of it, with whatever options.
 */
export type UpstashRedisClient = Pick<
  Redis,
  "eval" | "evalsha" | "mget" | "get" | "exists" | "zcount" | "zrange" | "zrem" | "del" | "pipeline"
>;

/** A script: its source, and what the server calls it. */
export class Script {
  /** The source. */
  readonly text: string;
  #sha: Promise<string> | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** Its SHA-1 digest in hex. */
  get sha(): Promise<string> {
    return this.#sha ??= sha1(this.text);
  }
}

/**
 * A request from this many characters on goes by itself. The client joins calls of one moment into one
 * request, and two that each fit the database's limit might not fit it together.
 */
const LONG_REQUEST = 512 * 1024;

/** Redis as the store and the fence use it. What it refuses becomes an `AtlastError`. */
export class Client {
  /** The official client, for plain commands. */
  readonly redis: UpstashRedisClient;

  constructor(redis: UpstashRedisClient) {
    this.redis = redis;
  }

  /**
   * Runs a script by its digest; where the server does not know it (any more), by its source. Its answer is
   * an array.
   */
  async run(script: Script, keys: string[], args: string[]): Promise<unknown[]> {
    const sha = await script.sha;
    const isLong = lengthOf(keys) + lengthOf(args) >= LONG_REQUEST;
    return await this.plain(async (redis) => {
      try {
        return await (isLong
          ? alone(redis.pipeline().evalsha<string[], unknown[]>(sha, keys, args))
          : redis.evalsha<string[], unknown[]>(sha, keys, args));
      } catch (error) {
        if (!isUnknownScript(error)) throw error;
        return await (isLong
          ? alone(redis.pipeline().eval<string[], unknown[]>(script.text, keys, args))
          : redis.eval<string[], unknown[]>(script.text, keys, args));
      }
    });
  }

  /** Sends plain commands. */
  async plain<Result>(send: (redis: UpstashRedisClient) => Promise<Result>): Promise<Result> {
    try {
      return await send(this.redis);
    } catch (error) {
      throw refusal(error);
    }
  }
}

async function alone(pipeline: { exec(): Promise<[unknown[]]> }): Promise<unknown[]> {
  const [result] = await pipeline.exec();
  return result;
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && /NOSCRIPT/i.test(error.message);
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((length, text) => length + text.length, 0);
}

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
