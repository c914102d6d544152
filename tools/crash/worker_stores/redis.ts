/**
 * A process of the crash run on Redis, through Upstash's REST protocol.
 *
 * A handler has no transaction there: its effect is a script that does nothing when it has run for the message before,
 * as the page of the store advises.
 *
 * @module
 */
import { Redis } from "@upstash/redis";
import {
  type RedisTransaction,
  redisTransaction,
  upstashRedisFence,
  upstashRedisStore,
  type UpstashRedisTransaction,
} from "@atlast/bus/upstash-redis";
import { EFFECTS } from "../business.ts";
import type { ConfigWith, RedisConfig } from "../protocol.ts";
import { ACKNOWLEDGED, ORDERS, PAYMENTS } from "../redis_keys.ts";
import { OnPurpose, type WorkerStore } from "./worker_store.ts";

/** How long a request may take with its retries, in milliseconds: a small part of the time after which a call has hung. */
const TIMEOUT_MS = 8_000;

/** Records the effect once for a message. */
const AFFECT = `
  if redis.call("SET", KEYS[1], 1, "NX") then redis.call("RPUSH", KEYS[2], ARGV[1]) end`;

/** Connects; requests are made when they are needed. */
export function redisWorkerStore(
  { service, store: { port, token } }: ConfigWith<RedisConfig>,
): WorkerStore<UpstashRedisTransaction | undefined, RedisTransaction> {
  const redis = new Redis({
    url: `http://127.0.0.1:${port}`,
    token,
    automaticDeserialization: false,
    enableTelemetry: false,
  });
  return {
    store: upstashRedisStore({ redis, prefix: service, timeoutMs: TIMEOUT_MS }),
    fence: service === "orders"
      ? upstashRedisFence({ redis, prefix: "ledger", timeoutMs: TIMEOUT_MS })
      : null,
    placements: {
      async script({ orderIds, publish, isRolledBack }) {
        const tx = redisTransaction(redis);
        await publish(tx);
        tx.call("SADD", ORDERS, ...orderIds);
        await tx.commit(isRolledBack ? { script: `return cancel("on purpose")` } : undefined);
      },
      async multi({ orderIds, publish, isRolledBack }) {
        const tx = redis.multi();
        await publish(tx);
        const [first, ...others] = orderIds as [string, ...string[]];
        tx.sadd(ORDERS, first, ...others);
        if (isRolledBack) throw new OnPurpose();
        await tx.exec();
      },
    },
    acknowledge: async (messageId) => void await redis.sadd(ACKNOWLEDGED, messageId),
    pay: (tx, orderId) => Promise.resolve(tx.call("RPUSH", PAYMENTS, orderId)),
    async affect(_tx, { name, orderId, messageId }) {
      const row = JSON.stringify({ order_id: orderId, message_id: messageId });
      await redis.eval(AFFECT, [`handled:${messageId}`, EFFECTS[name] as string], [row]);
    },
    // A script is never interrupted by another.
    contend: () => Promise.resolve(),
    probes: [() => redis.ping()],
    standing: null,
  };
}
