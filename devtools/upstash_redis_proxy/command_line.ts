/**
 * The proxy as a program.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { endRequested, portOf, type Program } from "../server/program.ts";
import { serve } from "../server/serve.ts";
import { createRedisProxy } from "./redis_proxy.ts";

/** The default port. */
const DEFAULT_PORT = "8079";
const DEFAULT_REDIS_URL = "redis://127.0.0.1:6379";
/** Not a secret: by default the proxy only listens on this machine. */
const DEFAULT_TOKEN = "atlast_development_token";

const USAGE = `Upstash's REST protocol before a Redis server, for development and tests.

  --redis-url <url>          where Redis is; $REDIS_URL, or ${DEFAULT_REDIS_URL}
  --port <port>              the port to listen on, 0 for a free one (default ${DEFAULT_PORT})
  --hostname <address>       the address to listen on (default 127.0.0.1, only this machine)
  --token <token>            the token with all rights (default ${DEFAULT_TOKEN})
  --read-only-token <token>  a token that may only read (default none)
`;

/** The parsed arguments. */
interface Arguments {
  readonly redisUrl: string;
  readonly port: number;
  readonly hostname: string;
  readonly token: string;
  readonly readOnlyToken: string | undefined;
}

/** Serves until the process is asked to end. */
export const PROGRAM: Program = { usage: USAGE, run: (args) => run(read(args)) };

function read(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      "redis-url": { type: "string", default: process.env["REDIS_URL"] ?? DEFAULT_REDIS_URL },
      port: { type: "string", default: DEFAULT_PORT },
      hostname: { type: "string", default: "127.0.0.1" },
      token: { type: "string", default: DEFAULT_TOKEN },
      "read-only-token": { type: "string" },
    },
  });
  return {
    redisUrl: values["redis-url"],
    port: portOf(values.port),
    hostname: values.hostname,
    token: values.token,
    readOnlyToken: values["read-only-token"],
  };
}

async function run({ redisUrl, port, hostname, token, readOnlyToken }: Arguments): Promise<void> {
  const proxy = createRedisProxy({
    redisUrl,
    token,
    ...(readOnlyToken === undefined ? {} : { readOnlyToken }),
  });
  try {
    const served = await serve(proxy.fetch, { port, hostname });
    console.log(`UPSTASH_REDIS_REST_URL="${served.url}"`);
    console.log(`UPSTASH_REDIS_REST_TOKEN="${token}"`);
    if (readOnlyToken !== undefined) {
      console.log(`UPSTASH_REDIS_REST_READONLY_TOKEN="${readOnlyToken}"`);
    }
    await endRequested();
    console.error(`${proxy.billed.total} commands would have been billed`);
    await served.close();
  } finally {
    await proxy.close();
  }
}
