/**
 * The proxy as a command.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { createRedisProxy } from "./redis_proxy.ts";
import { serve } from "../../local_server/serve.ts";

/** The port if none is given. */
const DEFAULT_PORT = 8079;
const DEFAULT_REDIS_URL = "redis://127.0.0.1:6379";
const DEFAULT_TOKEN = "atlast_development_token";

const USAGE = `Upstash's REST protocol before a Redis server, for development and tests.

  --redis-url <url>         where Redis is; REDIS_URL, or ${DEFAULT_REDIS_URL}
  --port <port>             where to listen; ${DEFAULT_PORT}, a free port for 0
  --hostname <address>      127.0.0.1, which only this machine reaches
  --token <token>           may do everything; ${DEFAULT_TOKEN}
  --read-only-token <token> may only read; none
`;

/**
 * Serves until the process is asked to end.
 *
 * @param args What was given after the program's name.
 */
export async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      "redis-url": { type: "string", default: process.env["REDIS_URL"] ?? DEFAULT_REDIS_URL },
      port: { type: "string", default: String(DEFAULT_PORT) },
      hostname: { type: "string", default: "127.0.0.1" },
      token: { type: "string", default: DEFAULT_TOKEN },
      "read-only-token": { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  const readOnlyToken = values["read-only-token"];
  const proxy = createRedisProxy({
    redisUrl: values["redis-url"],
    token: values.token,
    ...(readOnlyToken === undefined ? {} : { readOnlyToken }),
  });
  const served = await serve(proxy.fetch, { port: Number(values.port), hostname: values.hostname });
  console.log(`UPSTASH_REDIS_REST_URL="${served.url}"`);
  console.log(`UPSTASH_REDIS_REST_TOKEN="${values.token}"`);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  await served.close();
  await proxy.close();
}
