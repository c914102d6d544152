/**
 * A connection to the Redis server.
 *
 * @module
 */
import { Redis } from "ioredis";

/** Why there is no answer; what Redis did with the command is not known then. */
export class NoRedis extends Error {}

/** How long after a lost connection the next is tried. */
const RECONNECT_MS = 50;

/** A client that connects when it is told to, and again whenever the connection is lost. */
export function redisClient(url: string): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    // What Upstash answers is in the shapes of RESP2.
    protocol: 2,
    stringNumbers: true,
    disableClientInfo: true,
    // A command without an answer must fail rather than run twice.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => RECONNECT_MS,
  });
  // Whoever asks next is told; without a listener ioredis would write to the console.
  redis.on("error", () => {});
  return redis;
}

/**
 * Resolves when the client is connected.
 *
 * @throws {NoRedis} When it is not within `waitMs`, or was closed.
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
