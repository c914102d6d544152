/**
 * The proxy's options and their defaults.
 *
 * @module
 */
import {
  aFlag,
  aNumber,
  aSecret,
  checkOptions,
  type OptionTable,
  orNull,
} from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";

/** The largest request, in bytes: 10 MB, as on Upstash's free and pay-as-you-go plans. */
export const DEFAULT_MAX_REQUEST_BYTES: number = 10 * 1024 * 1024;
/** The largest key, in bytes: 32 KB, as at Upstash. */
export const DEFAULT_MAX_KEY_BYTES: number = 32 * 1024;
/** How many entries of a stream one consumer may hold unacknowledged, as at Upstash. */
export const DEFAULT_PENDING_LIMIT = 1000;
/** How long a request waits for an unavailable Redis server, in milliseconds. */
export const DEFAULT_WAIT_MS = 5000;

/** Options of {@linkcode createRedisProxy}. */
export interface RedisProxyOptions {
  /** The URL of the Redis server, such as `redis://127.0.0.1:6379` or `rediss://user:password@host:6380/1`. */
  readonly redisUrl: string;
  /** The token that may do everything. */
  readonly token: string;
  /**
   * A token that may only read.
   *
   * @default none
   */
  readonly readOnlyToken?: string;
  /**
   * The largest request, in bytes.
   *
   * @default 10 MiB
   */
  readonly maxRequestBytes?: number;
  /**
   * The longest key, in bytes.
   *
   * @default 32 KiB
   */
  readonly maxKeyBytes?: number;
  /**
   * How many entries of a stream one consumer may have pending; null for no limit. It applies to `XREADGROUP`
   * outside of scripts.
   *
   * @default 1_000
   */
  readonly pendingLimit?: number | null;
  /**
   * How long a request waits for Redis, in milliseconds.
   *
   * @default 5_000
   */
  readonly waitMs?: number;
  /**
   * Whether the commands of a pipeline go to Redis one after the other, so that commands of other requests
   * may run in between, as at Upstash. False is faster, but hides code that relies on an atomic pipeline.
   *
   * @default true
   */
  readonly interleavePipelines?: boolean;
  /**
   * Whether `OK` inside an array stays as it is when strings are base64. The official client then reads it as
   * the number 8. The behaviour of Upstash is not known. A program that is correct in both cases never
   * returns `OK` in an array.
   *
   * @default false
   */
  readonly plainNestedOk?: boolean;
  /**
   * Whether calls inside scripts are counted. This requires the right to run `INFO commandstats`.
   *
   * @default true
   */
  readonly countScripts?: boolean;
}

/** Options with all defaults filled in. */
export type CheckedOptions = Required<Omit<RedisProxyOptions, "readOnlyToken">> & {
  /** See {@linkcode RedisProxyOptions.readOnlyToken}. */
  readonly readOnlyToken: string | null;
};

const COUNT = aNumber({ whole: true, least: 1, most: Number.MAX_SAFE_INTEGER });

const OPTIONS: OptionTable = {
  readOnlyToken: aSecret,
  maxRequestBytes: COUNT,
  maxKeyBytes: COUNT,
  pendingLimit: orNull(COUNT),
  waitMs: COUNT,
  interleavePipelines: aFlag,
  plainNestedOk: aFlag,
  countScripts: aFlag,
};

const REQUIRED: OptionTable = { redisUrl: aSecret, token: aSecret };

/**
 * Fills in the defaults.
 *
 * @throws {AtlastError} `invalid_option`, with the name of the option, and never a secret value.
 */
export function checkedOptions(options: RedisProxyOptions): CheckedOptions {
  checkOptions("make a proxy with", options, OPTIONS, REQUIRED);
  const { redisUrl, token, readOnlyToken = null } = options;
  if (!/^rediss?:\/\//.test(redisUrl)) {
    throw new AtlastError("invalid_option", "Cannot use redisUrl: want redis:// or rediss://");
  }
  for (const [name, value] of Object.entries({ token, readOnlyToken })) {
    if (value !== null && !/^[\x21-\x7e]+$/.test(value)) {
      throw new AtlastError("invalid_option", `Cannot use ${name}: want visible ASCII characters`);
    }
  }
  if (token === readOnlyToken) {
    throw new AtlastError("invalid_option", "Cannot use readOnlyToken: want another than token");
  }
  return {
    redisUrl,
    token,
    readOnlyToken,
    maxRequestBytes: options.maxRequestBytes ?? DEFAULT_MAX_REQUEST_BYTES,
    maxKeyBytes: options.maxKeyBytes ?? DEFAULT_MAX_KEY_BYTES,
    pendingLimit: options.pendingLimit === undefined ? DEFAULT_PENDING_LIMIT : options.pendingLimit,
    waitMs: options.waitMs ?? DEFAULT_WAIT_MS,
    interleavePipelines: options.interleavePipelines ?? true,
    plainNestedOk: options.plainNestedOk ?? false,
    countScripts: options.countScripts ?? true,
  };
}
