/**
 * Whether the tests can start Redis servers, and the servers.
 *
 * @module
 */
import process from "node:process";
import { hasRedis } from "../../tools/redis_server.ts";

export { type RedisServer, type RedisServerOptions, startRedis } from "../../tools/redis_server.ts";

/** Why a suite is skipped when {@linkcode redisProblem} answers it. */
const NO_REDIS = "no redis-server program on this machine: this suite is skipped";

/**
 * Why no server can be started here; null when one can. With `CI=true` that is an error, so that a suite
 * cannot vanish unseen.
 */
export function redisProblem(): string | null {
  if (hasRedis()) return null;
  if (process.env["CI"] === "true") throw new Error(NO_REDIS);
  return NO_REDIS;
}
