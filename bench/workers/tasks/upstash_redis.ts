/**
 * Store and streams in Upstash Redis, over the REST proxy before a Redis server: how fast messages go their
 * whole way, and how many commands Upstash would bill for that.
 *
 * @module
 */
import { Redis } from "@upstash/redis";
import { serve } from "../../../devtools/server/serve.ts";
import { upstashRedisStore, upstashStreamTransport } from "../../../adapters/upstash_redis/mod.ts";
import { createRedisProxy } from "../../../devtools/upstash_redis_proxy/mod.ts";
import { type Bus, createBus, subscribe } from "../../../mod.ts";
import { Measured } from "../../subjects/atlast_message.ts";
import { bodyOf } from "../../subjects/subject.ts";

/** Messages published and fetched together where commands are counted: what a tick fetches at once. */
export const UPSTASH_BATCH = 50;
/** Where the rate is taken, so that a tick has more than one batch to do. */
const RATE_BATCH = 200;
const TOKEN = "bench";

/** Messages a second, from `publishMany` to the end of their handler in another service. */
export async function measureUpstashRate(redisPort: number, durationMs: number): Promise<number> {
  return await withServices(redisPort, async ({ pass }) => {
    await pass(RATE_BATCH);
    const startMs = performance.now();
    let messages = 0;
    while (performance.now() - startMs < durationMs) messages += await pass(RATE_BATCH);
    return messages / (performance.now() - startMs) * 1000;
  });
}

/** What is billed for one message of a batch on its whole way, and for a tick that finds nothing. */
export async function measureUpstashCommands(
  redisPort: number,
): Promise<{ message: number; idleTick: number }> {
  return await withServices(redisPort, async ({ pass, receiver, billed }) => {
    // The first makes streams and groups.
    await pass(UPSTASH_BATCH);
    const before = billed();
    await pass(UPSTASH_BATCH);
    const between = billed();
    await receiver.tick();
    return { message: (between - before) / UPSTASH_BATCH, idleTick: billed() - between };
  });
}

interface Services {
  readonly receiver: Bus;
  /** Has so many messages go their whole way. */
  pass(count: number): Promise<number>;
  /** All that was billed so far. */
  billed(): number;
}

async function withServices<Result>(
  redisPort: number,
  measure: (services: Services) => Promise<Result>,
): Promise<Result> {
  const proxy = createRedisProxy({ redisUrl: `redis://127.0.0.1:${redisPort}`, token: TOKEN });
  const served = await serve(proxy.fetch, { port: 0 });
  const redis = new Redis({ url: served.url, token: TOKEN });
  const prefix = crypto.randomUUID();
  const part = (group: string) => ({
    store: upstashRedisStore({ redis, prefix: `${prefix}.${group}` }),
    transport: upstashStreamTransport({ redis, prefix, group }),
  });
  let handled = 0;
  const sender = createBus(part("sender"));
  const receiver = createBus(part("receiver"), [
    subscribe(Measured, { group: "bench" }, () => void handled++),
  ]);
  try {
    // The stream is there once its subscriber has started.
    await receiver.tick();
    return await measure({
      receiver: receiver as Bus,
      async pass(count) {
        const wanted = handled + count;
        await sender.publishMany(Measured, Array.from({ length: count }, (_, n) => bodyOf(n)));
        await sender.tick();
        while (handled < wanted) await receiver.tick();
        return count;
      },
      billed: () => proxy.billed.total,
    });
  } finally {
    await Promise.all([sender.stop(), receiver.stop()]);
    await served.close();
    await proxy.close();
  }
}
