/**
 * Atlast in Upstash Redis, over HTTP.
 *
 * @module
 */
export {
  type UpstashRedisOptions,
  type UpstashRedisStore,
  upstashRedisStore,
} from "./upstash_redis_store.ts";
export type { UpstashPipeline, UpstashRedisClient } from "./client.ts";
export type { RedisMulti, UpstashRedisTransaction } from "./join.ts";
export {
  type OwnScript,
  type RedisTransaction,
  redisTransaction,
  type RedisTransactionEnd,
} from "./redis_transaction.ts";
export { upstashRedisFence, type UpstashRedisFenceOptions } from "./upstash_redis_fence.ts";
