/**
 * Sends scripts and commands to Redis over HTTP.
 *
 * @module
 */
import { AtlastError } from "../../../core/errors.ts";
import { textOfThrown } from "../../../core/user_code/thrown.ts";
import { checkRedisClient } from "../check_redis_client.ts";
import { answered, checkRequestTimeout } from "../time_limit.ts";
import { refusal } from "./redis_error.ts";

/** A separate request of the official client. */
export interface UpstashPipeline {
  /** Queues a script by its source. */
  eval(script: string, keys: string[], args: string[]): { exec(): Promise<unknown[]> };
  /** Queues a script by its digest. */
  evalsha(sha1: string, keys: string[], args: string[]): { exec(): Promise<unknown[]> };
}

/**
 * The part of the official client that is used: a `Redis` of `@upstash/redis`, of
 * `@upstash/redis/cloudflare`, or of any other entry of it, with any options.
 */
export interface UpstashRedisClient {
  /** EVAL. */
  eval(script: string, keys: string[], args: string[]): Promise<unknown>;
  /** EVALSHA. */
  evalsha(sha1: string, keys: string[], args: string[]): Promise<unknown>;
  /** MGET. */
  mget(...keys: string[]): Promise<unknown[]>;
  /** GET. */
  get(key: string): Promise<unknown>;
  /** EXISTS. */
  exists(...keys: [string, ...string[]]): Promise<number>;
  /** ZCOUNT. */
  zcount(key: string, min: number | string, max: number | string): Promise<number>;
  /** ZRANGE by score. */
  zrange(
    key: string,
    min: number | "-inf",
    max: `(${number}`,
    options: {
      readonly byScore: true;
      readonly withScores: true;
      readonly offset: number;
      readonly count: number;
    },
  ): Promise<unknown[]>;
  /** ZREM. */
  zrem(key: string, ...members: string[]): Promise<number>;
  /** DEL. */
  del(...keys: string[]): Promise<number>;
  /** Begins a separate request. */
  pipeline(): UpstashPipeline;
}

/** A script: its source and its digest. */
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
 * From this many characters on a call gets a request of its own. The client joins concurrent calls into one
 * request, and two calls that each fit the database's limit may exceed it together.
 */
const LONG_REQUEST = 512 * 1024;

/** The access of store and fence to Redis. Errors of Redis become an `AtlastError`. */
export class Client {
  /** The official client, for plain commands. */
  readonly redis: UpstashRedisClient;
  readonly #timeoutMs: number;

  constructor(redis: UpstashRedisClient, timeoutMs?: number) {
    checkRedisClient(redis);
    this.redis = redis;
    this.#timeoutMs = checkRequestTimeout(timeoutMs);
  }

  /**
   * Runs a script by its digest, or by its source if the server does not know it (any more). Its answer is an
   * array.
   */
  async run(script: Script, keys: string[], args: string[]): Promise<unknown[]> {
    const sha = await script.sha;
    const isLong = lengthOf(keys) + lengthOf(args) >= LONG_REQUEST;
    return await this.plain(async (redis) => {
      try {
        return arrayOf(
          await (isLong
            ? alone(redis.pipeline().evalsha(sha, keys, args))
            : redis.evalsha(sha, keys, args)),
        );
      } catch (error) {
        if (!isUnknownScript(error)) throw error;
        return arrayOf(
          await (isLong
            ? alone(redis.pipeline().eval(script.text, keys, args))
            : redis.eval(script.text, keys, args)),
        );
      }
    });
  }

  /** Sends plain commands, with a limit on how long that takes. */
  async plain<Result>(send: (redis: UpstashRedisClient) => Promise<Result>): Promise<Result> {
    try {
      return await answered(this.#timeoutMs, send(this.redis));
    } catch (error) {
      throw refusal(error);
    }
  }
}

async function alone(request: { exec(): Promise<unknown[]> }): Promise<unknown> {
  const [result] = await request.exec();
  return result;
}

/** A client whose signal has aborted resolves with another value. */
function arrayOf(answer: unknown): unknown[] {
  if (Array.isArray(answer)) return answer;
  throw new AtlastError(
    "unreachable",
    "Cannot use Upstash Redis: got an answer that no script returns",
  );
}

function isUnknownScript(error: unknown): boolean {
  return /NOSCRIPT/i.test(textOfThrown(error).message);
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((length, text) => length + text.length, 0);
}

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
