/**
 * A connection to the Redis server.
 *
 * @module
 */
import { Redis } from "ioredis";

/** Why there is no answer. It is then unknown whether Redis ran the command. */
export class NoRedis extends Error {}

/** How long to wait after a lost connection before the next attempt. */
const RECONNECT_MS = 50;

/** A client that connects on request, and again whenever the connection is lost. */
export function redisClient(url: string): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    // Upstash's answers have the shapes of RESP2.
    protocol: 2,
    stringNumbers: true,
    disableClientInfo: true,
    // A command without an answer must fail rather than run twice.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => RECONNECT_MS,
  });
  // The next request gets the error; without a listener ioredis would write to the console.
  redis.on("error", () => {});
  return redis;
}

/**
 * Resolves when the client is connected.
 *
 * @throws {NoRedis} When it does not connect within `waitMs`, or was closed.
 */
export async function connected(redis: Redis, waitMs: number): Promise<void> {
  if (redis.status === "ready") return;
  if (redis.status === "wait") redis.connect().catch(() => {});
  let isReady = false;
  if (redis.status !== "end") {
    isReady = await new Promise<boolean>((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        redis.off("ready", settle).off("end", settle);
        resolve(redis.status === "ready");
      };
      const timer = setTimeout(settle, waitMs);
      redis.once("ready", settle).once("end", settle);
    });
  }
  if (!isReady) throw new NoRedis("ERR the proxy cannot reach its Redis server");
}

/** Ends a client. */
export async function disconnected(redis: Redis): Promise<void> {
  if (redis.status === "wait" || redis.status === "end") return redis.disconnect();
  const ended = new Promise<void>((resolve) => redis.once("end", () => resolve()));
  redis.disconnect();
  await ended;
}
