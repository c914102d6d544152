/**
 * A proxy with Upstash's REST protocol in front of a Redis server, for development and tests. As a program:
 *
 * ```sh
 * deno run -A jsr:@atlast/bus/upstash-redis/proxy --redis-url redis://127.0.0.1:6379 --port 8079
 * ```
 *
 * It needs TCP, so it runs on Deno, Bun and Node.
 *
 * @module
 */
export type { Billed } from "./billed.ts";
export {
  DEFAULT_MAX_KEY_BYTES,
  DEFAULT_MAX_REQUEST_BYTES,
  DEFAULT_PENDING_LIMIT,
  DEFAULT_WAIT_MS,
  type RedisProxyOptions,
} from "./options.ts";
export { createRedisProxy, type RedisProxy } from "./redis_proxy.ts";
export { type Handle, serve } from "../server/serve.ts";
export type { Served, ServeOptions } from "../server/listen.ts";

// In a bundle another module is the entry point.
if (import.meta.main && /\/upstash_redis_proxy\/mod\.[jt]s$/.test(import.meta.url)) {
  const { runAsProcess } = await import("../server/program.ts");
  const { PROGRAM } = await import("./command_line.ts");
  await runAsProcess(PROGRAM);
}
