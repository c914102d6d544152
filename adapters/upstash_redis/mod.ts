/**
 * Atlast on Upstash Redis, over HTTP: a store and a fence, and a transport over Redis Streams, on the
 * official client.
 *
 * @example
 * ```ts ignore
 * import { Redis } from "@upstash/redis";
 * import { createBus } from "@atlast/bus";
 * import { upstashRedisStore, upstashStreamTransport } from "@atlast/bus/upstash-redis";
 *
 * const redis = Redis.fromEnv();
 * const bus = createBus({
 *   store: upstashRedisStore({ redis }),
 *   transport: upstashStreamTransport({ redis, group: "orders" }),
 * });
 * ```
 *
 * @module
 */
export type { UpstashPipeline, UpstashRedisClient } from "./store/client.ts";
export type { RedisMulti, UpstashRedisTransaction } from "./store/join.ts";
export {
  type OwnScript,
  type RedisTransaction,
  redisTransaction,
  type RedisTransactionEnd,
} from "./store/redis_transaction.ts";
export { upstashRedisFence, type UpstashRedisFenceOptions } from "./store/upstash_redis_fence.ts";
export type { UpstashRedisOptions } from "./store/options.ts";
export { type UpstashRedisStore, upstashRedisStore } from "./store/upstash_redis_store.ts";

export type { CommandResult, StreamClient, StreamPipeline } from "./stream/client.ts";
export type { UpstashStreamTransportOptions } from "./stream/options.ts";
export type { ParkedMessage } from "./stream/parking.ts";
export { type UpstashStreamTransport, upstashStreamTransport } from "./stream/stream_transport.ts";

// Types that the types above use
export type { Message, MessageBody, MessageHeaders } from "../../core/message/message.ts";
export type { Store } from "../../core/ports/store.ts";
export type { AbortSignalLike } from "../../core/ports/platform.ts";
export type {
  DeliveryResult,
  Receiver,
  SendResult,
  Transport,
  TransportCapabilities,
} from "../../core/ports/transport.ts";
export type { Fence } from "../../core/ports/fence.ts";
export type { PullRequest, PullResult } from "../../core/ports/pull.ts";
