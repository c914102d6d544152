/**
 * The tasks that measure Upstash Redis: a store and a stream, through the REST proxy in front of a Redis
 * server. Two services exchange messages; the figures are messages a second, or billed commands.
 *
 * @module
 */
import { Redis } from "@upstash/redis";
import { serve } from "../../../devtools/server/serve.ts";
import { upstashRedisStore, upstashStreamTransport } from "../../../adapters/upstash_redis/mod.ts";
import { createRedisProxy } from "../../../devtools/upstash_redis_proxy/mod.ts";
import { type Bus, createBus, subscribe } from "../../../mod.ts";
import { BenchMessage } from "../../subjects/atlast_message.ts";
import { createBodies } from "../../subjects/message_body.ts";

/** The batch in which commands are counted: as many messages as a tick fetches at once. */
const COUNTED_BATCH = 50;
/** The batch in which the rate is measured. A tick has to fetch several times. */
const RATE_BATCH = 200;
const TOKEN = "bench";

/** Measures messages a second, from `publishMany` until another service has handled them. */
export async function measureUpstashRate(redisPort: number, durationMs: number): Promise<number> {
  return await withServices(redisPort, async ({ exchange }) => {
    await exchange(RATE_BATCH);
    const startMs = performance.now();
    let messages = 0;
    while (performance.now() - startMs < durationMs) messages += await exchange(RATE_BATCH);
    return messages / (performance.now() - startMs) * 1000;
  });
}

/** Counts what is billed for one message from publish to handler, and for a tick that finds nothing. */
export async function measureUpstashCommands(
  redisPort: number,
): Promise<{ message: number; idleTick: number }> {
  return await withServices(
    redisPort,
    async ({ exchange, receiver, billedCommands }) => {
      // The first batch creates streams and groups.
      await exchange(COUNTED_BATCH);
      const before = billedCommands();
      await exchange(COUNTED_BATCH);
      const between = billedCommands();
      await receiver.tick();
      return { message: (between - before) / COUNTED_BATCH, idleTick: billedCommands() - between };
    },
  );
}

interface Services {
  readonly receiver: Bus;
  /** Publishes `count` messages and waits until they are handled. */
  exchange(count: number): Promise<number>;
  /** How many commands were billed so far. */
  billedCommands(): number;
}

async function withServices<Result>(
  redisPort: number,
  measure: (services: Services) => Promise<Result>,
): Promise<Result> {
  const proxy = createRedisProxy({ redisUrl: `redis://127.0.0.1:${redisPort}`, token: TOKEN });
  const served = await serve(proxy.fetch, { port: 0 });
  const redis = new Redis({ url: served.url, token: TOKEN });
  const prefix = crypto.randomUUID();
  const optionsFor = (group: string) => ({
    store: upstashRedisStore({ redis, prefix: `${prefix}.${group}` }),
    transport: upstashStreamTransport({ redis, prefix, group }),
  });
  let handled = 0;
  const sender = createBus(optionsFor("sender"));
  const receiver = createBus(optionsFor("receiver"), [
    subscribe(BenchMessage, { group: "bench" }, () => void handled++),
  ]);
  try {
    // The first tick of its subscriber creates the stream.
    await receiver.tick();
    return await measure({
      receiver: receiver as Bus,
      async exchange(count) {
        const wanted = handled + count;
        await sender.publishMany(
          BenchMessage,
          createBodies(0, count),
        );
        await sender.tick();
        while (handled < wanted) await receiver.tick();
        return count;
      },
      billedCommands: () => proxy.billed.total,
    });
  } finally {
    await Promise.all([sender.stop(), receiver.stop()]);
    await served.close();
    await proxy.close();
  }
}
