/**
 * A process of a group, that fetches from streams and says on its standard output what it took.
 *
 * `drain` takes until nothing is left. `die` hands its first batch to a bus, and stops for good when it is in
 * the inbox and not yet acknowledged, so that it can be killed there.
 *
 * @module
 */
import process from "node:process";
import { Redis } from "@upstash/redis";
import { upstashRedisStore, upstashStreamTransport } from "../../adapters/upstash_redis/mod.ts";
import { createBus, subscribe } from "../../mod.ts";
import { Placed } from "./bus_fixture.ts";
import { ManualClock } from "./manual_clock.ts";

const [url, token, prefix, mode] = process.argv.slice(2) as [string, string, string, string];
const redis = new Redis({ url, token });
const transport = upstashStreamTransport({ redis, prefix, group: "g" });

if (mode === "drain") await drain();
else await die();

async function drain(): Promise<void> {
  console.log("ready");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  process.stdin.pause();
  const { signal } = new AbortController();
  for (let received = 1; received > 0;) {
    const request = { patterns: [Placed.name], limit: 20, nowMs: Date.now(), signal };
    ({ received } = await transport.pull(request, (messages) => {
      for (const { id } of messages) console.log(id);
      return Promise.resolve(messages.map(() => ({ kind: "accepted" })));
    }));
  }
}

async function die(): Promise<void> {
  const bus = createBus({
    store: upstashRedisStore({ redis, prefix }),
    clock: new ManualClock(),
    transport: Object.assign(Object.create(transport), {
      pull: (request: Parameters<typeof transport.pull>[0], deliver: typeof bus.deliver) =>
        transport.pull(request, async (messages) => {
          await deliver(messages);
          console.log("at: stored");
          return await new Promise(() => {});
        }),
    }),
  }, [subscribe(Placed, { group: "g" }, () => {})]);
  await bus.tick();
}
