/**
 * A Redis server that keeps every acknowledged write, with Upstash's REST protocol before it.
 *
 * @module
 */
import { Redis } from "@upstash/redis";
import { createRedisProxy, serve } from "@atlast/bus/upstash-redis/proxy";
import { startRedis } from "../redis_server.ts";

/** The token of the proxy. */
export const TOKEN = "atlast_crash_token";

/** The server. */
export interface RestRedis {
  /** The port of the REST protocol. */
  readonly port: number;
  /** A client of this process. */
  readonly redis: Redis;
  /** Kills the server and starts it again. */
  crash(): Promise<void>;
  /** Ends it. */
  stop(): Promise<void>;
}

/** Starts one with its data in a folder. */
export async function startRestRedis(parent: string): Promise<RestRedis> {
  const server = await startRedis({ appendOnly: true, parent });
  const proxy = createRedisProxy({ redisUrl: server.url, token: TOKEN });
  const served = await serve(proxy.fetch, { port: 0 });
  return {
    port: Number(new URL(served.url).port),
    redis: new Redis({
      url: served.url,
      token: TOKEN,
      automaticDeserialization: false,
      enableTelemetry: false,
    }),
    async crash() {
      await server.kill();
      await server.start();
    },
    async stop() {
      await served.close();
      await proxy.close();
      await server.stop();
    },
  };
}
