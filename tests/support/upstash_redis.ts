/**
 * Upstash Redis for tests: a private Redis server, the REST proxy before it, and the official client.
 *
 * @module
 */
import { Redis, type RedisConfigNodejs } from "@upstash/redis";
import {
  createRedisProxy,
  type RedisProxy,
  type RedisProxyOptions,
  serve,
} from "../../devtools/upstash_redis_proxy/mod.ts";
import { type RedisServer, type RedisServerOptions, startRedis } from "./redis_server.ts";

export { redisProblem } from "./redis_server.ts";

/** Passes a request on, and gives the answer. */
export type Forward = (request: Request) => Promise<Response>;

/** What differs from the defaults. */
export interface UpstashRedisOptions extends RedisServerOptions {
  /** Options of the proxy. */
  readonly proxy?: Partial<RedisProxyOptions>;
  /**
   * Stands between the client and the proxy. When it rejects, the connection is broken off without an
   * answer; after `forward` that is a lost answer, and before it a lost request. It may be changed through
   * {@linkcode UpstashRedis.intercept}.
   */
  readonly intercept?: (request: Request, forward: Forward) => Promise<Response>;
}

/** What a test gets. */
export interface UpstashRedis {
  /** The official client with its own defaults. */
  readonly redis: Redis;
  /** The REST URL. */
  readonly url: string;
  /** The token that may do everything. */
  readonly token: string;
  /** The token that may only read. */
  readonly readOnlyToken: string;
  /** The proxy, which counts what is billed. */
  readonly proxy: RedisProxy;
  /** The Redis server, which can be killed and started again. */
  readonly server: RedisServer;
  /** See {@linkcode UpstashRedisOptions.intercept}; null passes everything on. */
  intercept: UpstashRedisOptions["intercept"] | null;
  /** Another official client. */
  connect(options?: Partial<RedisConfigNodejs>): Redis;
  /** Ends all of it. */
  stop(): Promise<void>;
}

const TOKEN = "atlast_test_token";
const READ_ONLY_TOKEN = "atlast_test_read_only_token";

/** Starts a server, a proxy before it on a free port, and makes a client. */
export async function startUpstashRedis(
  options: UpstashRedisOptions = {},
): Promise<UpstashRedis> {
  const server = await startRedis(options);
  const proxy = createRedisProxy({
    redisUrl: server.url,
    token: TOKEN,
    readOnlyToken: READ_ONLY_TOKEN,
    ...options.proxy,
  });
  let intercept = options.intercept ?? null;
  const served = await serve(
    (request) => intercept === null ? proxy.fetch(request) : intercept(request, proxy.fetch),
    { port: 0 },
  );
  const connect = (more: Partial<RedisConfigNodejs> = {}): Redis =>
    new Redis({ url: served.url, token: TOKEN, ...more });
  return {
    redis: connect(),
    url: served.url,
    token: TOKEN,
    readOnlyToken: READ_ONLY_TOKEN,
    proxy,
    server,
    get intercept() {
      return intercept;
    },
    set intercept(value) {
      intercept = value ?? null;
    },
    connect,
    async stop() {
      await served.close();
      await proxy.close();
      await server.stop();
    },
  };
}
