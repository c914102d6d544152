/**
 * The parts of the official client that the stream transport uses.
 *
 * @module
 */

/** The result of one command of a pipeline. */
export interface CommandResult {
  /** The answer. */
  readonly result?: unknown;
  /** The error, if there is no answer. */
  readonly error?: string | undefined;
}

/** Commands that are sent in one request. */
export interface StreamPipeline {
  /** Adds `XADD`. */
  xadd(
    key: string,
    id: string,
    fields: Record<string, string>,
    options?: { nomkStream?: boolean },
  ): unknown;
  /** Adds `XACK`. */
  xack(key: string, group: string, ids: string[]): unknown;
  /** Adds `XAUTOCLAIM`. */
  xautoclaim(
    key: string,
    group: string,
    consumer: string,
    minIdleMs: number,
    start: string,
    options: { count: number },
  ): unknown;
  /** Adds `XPENDING` with a range. */
  xpending(
    key: string,
    group: string,
    start: string,
    end: string,
    count: number,
    options?: { consumer: string },
  ): unknown;
  /** Adds `XGROUP CREATE`. */
  xgroup(
    key: string,
    options: { type: "CREATE"; group: string; id: string; options: { MKSTREAM: boolean } },
  ): unknown;
  /** Adds `XGROUP DESTROY`. */
  xgroup(key: string, options: { type: "DESTROY"; group: string }): unknown;
  /** Adds `XINFO GROUPS`. */
  xinfo(key: string, options: { type: "GROUPS" }): unknown;
  /** Adds `XINFO CONSUMERS`. */
  xinfo(key: string, options: { type: "CONSUMERS"; group: string }): unknown;
  /** Adds `XTRIM`. */
  xtrim(key: string, options: { strategy: "MINID"; exactness: "="; threshold: string }): unknown;
  /** Adds `SADD`. */
  sadd(key: string, member: string, ...members: string[]): unknown;
  /** Sends them. An error of one does not affect the others. */
  exec(options: { keepErrors: true }): Promise<readonly CommandResult[]>;
}

/** The official client, `Redis` of `@upstash/redis` or of `@upstash/redis/cloudflare`. */
export interface StreamClient {
  /** Sends one command unchanged. */
  exec<Result>(command: [command: string, ...args: (string | number | boolean)[]]): Promise<Result>;
  /** Begins a pipeline. */
  pipeline(): StreamPipeline;
}
