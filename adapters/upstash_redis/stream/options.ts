/**
 * The options of the stream transport and their defaults.
 *
 * @module
 */
import {
  aList,
  aNumber,
  anything,
  checkOptions,
  oneOf,
  type OptionCheck,
} from "../../../core/check_options.ts";
import { checkText, IDENTIFIER } from "../../../core/check_text.ts";
import { checkName } from "../../../core/message/name.ts";
import { checkRedisClient } from "../check_redis_client.ts";
import { keyBase } from "../prefix.ts";
import { answered, checkRequestTimeout } from "../time_limit.ts";
import type { StreamClient } from "./client.ts";
import { type Keys, keysUnder } from "./keys.ts";

/** Options of {@linkcode upstashStreamTransport}. Times are in milliseconds. */
export interface UpstashStreamTransportOptions {
  /** The official client; see there for the one that fits your platform. */
  readonly redis: StreamClient;
  /**
   * The service that receives: every group gets each message once, and its processes share them. Required
   * also for a service that only sends.
   */
  readonly group: string;
  /**
   * The beginning of all keys, as in `{atlast}:stream:order.placed`.
   *
   * @default "atlast"
   */
  readonly prefix?: string;
  /**
   * The names that the transport carries; publish refuses any other. With the default, a message with a
   * misspelt name waits in the outbox as unroutable.
   *
   * @default all
   */
  readonly names?: readonly string[];
  /**
   * The name of this process within its group. It must be unique.
   *
   * @default a random name
   */
  readonly consumer?: string;
  /**
   * Where a new group begins to read a stream: at the `beginning`, so that it also gets messages that were
   * sent earlier, as far as `keepMs` goes; or `now`, with later messages only.
   *
   * @default "beginning"
   */
  readonly from?: "beginning" | "now";
  /**
   * How long a process may keep fetched messages before others take them over.
   *
   * @default 60_000
   */
  readonly minIdleMs?: number;
  /**
   * How often a group looks for messages that dead processes left, counted for all its processes together.
   *
   * @default 60_000
   */
  readonly takeOverEveryMs?: number;
  /**
   * How often a group trims streams and removes dead consumers, counted likewise.
   *
   * @default 600_000
   */
  readonly pruneEveryMs?: number;
  /**
   * How long entries that all groups have read are kept for later groups, which begin with the existing
   * entries.
   *
   * @default 3_600_000
   */
  readonly keepMs?: number;
  /**
   * After how long an inactive consumer without pending entries is removed.
   *
   * @default 3_600_000
   */
  readonly removeConsumerAfterMs?: number;
  /**
   * How often a message is passed to the receiver before it is parked.
   *
   * @default 10
   */
  readonly maxDeliveries?: number;
  /**
   * The largest request, in bytes.
   *
   * @default 8 MiB
   */
  readonly maxRequestBytes?: number;
  /**
   * How long one request may take, in milliseconds, including the retries of the client.
   *
   * @default 30_000
   */
  readonly timeoutMs?: number;
}

/** Options with all defaults filled in. */
export interface StreamSettings {
  readonly redis: StreamClient;
  readonly keys: Keys;
  readonly group: string;
  /** The names that are carried; null for all. */
  readonly names: ReadonlySet<string> | null;
  readonly consumer: () => string;
  readonly from: "0" | "$";
  readonly minIdleMs: number;
  readonly takeOverEveryMs: number;
  readonly pruneEveryMs: number;
  readonly keepMs: number;
  readonly removeConsumerAfterMs: number;
  readonly maxDeliveries: number;
  readonly maxRequestBytes: number;
}

const COUNT = aNumber({ whole: true, most: Number.MAX_SAFE_INTEGER });

/** Those that are not checked here are checked where they are read. */
const OPTIONS: Readonly<Record<keyof UpstashStreamTransportOptions, OptionCheck>> = {
  redis: anything,
  group: anything,
  prefix: anything,
  timeoutMs: anything,
  names: aList((_option, value) => checkName(value as string)),
  consumer: (_option, value) => void checkText("a consumer", value, IDENTIFIER),
  from: oneOf("beginning", "now"),
  minIdleMs: COUNT,
  takeOverEveryMs: COUNT,
  pruneEveryMs: COUNT,
  keepMs: aNumber({ whole: true, least: 0, most: Number.MAX_SAFE_INTEGER }),
  removeConsumerAfterMs: COUNT,
  maxDeliveries: COUNT,
  maxRequestBytes: COUNT,
};

/**
 * Checks options and fills in the defaults.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`.
 */
export function settingsOf(options: UpstashStreamTransportOptions): StreamSettings {
  checkOptions("make a transport with", options, OPTIONS);
  const { redis, names } = options;
  checkRedisClient(redis);
  let { consumer } = options;
  return {
    redis: limitClient(redis, checkRequestTimeout(options.timeoutMs)),
    keys: keysUnder(keyBase(options.prefix)),
    group: checkText("a group", options.group, IDENTIFIER),
    names: names === undefined ? null : new Set(names),
    // Created at first use: Workers have no random numbers while a module is loaded.
    consumer: () => consumer ??= crypto.randomUUID(),
    from: options.from === "now" ? "$" : "0",
    minIdleMs: options.minIdleMs ?? 60_000,
    takeOverEveryMs: options.takeOverEveryMs ?? 60_000,
    pruneEveryMs: options.pruneEveryMs ?? 600_000,
    keepMs: options.keepMs ?? 3_600_000,
    removeConsumerAfterMs: options.removeConsumerAfterMs ?? 3_600_000,
    maxDeliveries: options.maxDeliveries ?? 10,
    maxRequestBytes: options.maxRequestBytes ?? 8 * 1024 * 1024,
  };
}

/** Limits how long each request of a client may take. */
function limitClient(redis: StreamClient, timeoutMs: number): StreamClient {
  return {
    exec: (command) => answered(timeoutMs, redis.exec(command)),
    pipeline() {
      const pipeline = redis.pipeline();
      const exec = pipeline.exec.bind(pipeline);
      return Object.assign(pipeline, {
        exec: (options: { keepErrors: true }) => answered(timeoutMs, exec(options)),
      });
    },
  };
}
