/**
 * Two services with store and streams in one Upstash Redis, on whatever runtime this is: orders asks for
 * stock, inventory answers, and orders learns of it.
 *
 * @module
 */
import { createBus, defineMessage, subscribe } from "@atlast/bus";
import { upstashRedisStore, upstashStreamTransport } from "@atlast/bus/upstash-redis";
import type { Redis } from "@upstash/redis";
import * as z from "zod";

/** What became of it. */
export interface Told {
  /** How many messages each tick sent, received and handled. */
  readonly ticks: readonly (readonly [sent: number, received: number, handled: number])[];
  /** The bodies that inventory handled, and those that came back; bytes as a list. */
  readonly handled: readonly unknown[];
  readonly answered: readonly unknown[];
  /** How many messages each outbox and inbox has that succeeded. */
  readonly succeeded: readonly number[];
}

const Reserved = defineMessage("stock.reserved", {
  body: z.object({ n: z.number(), text: z.string() }),
});
const Reserve = defineMessage("stock.reserve", {
  body: z.object({ n: z.number(), text: z.string() }),
  reply: Reserved.body,
});

/** Tells the story; `prefix` is for its keys alone. */
export async function story(redis: Redis, prefix: string): Promise<Told> {
  const handled: unknown[] = [];
  const answered: unknown[] = [];
  const part = (group: string) => ({
    store: upstashRedisStore({ redis, prefix: `${prefix}.${group}` }),
    transport: upstashStreamTransport({ redis, prefix, group }),
  });
  const orders = createBus(part("orders"), [
    subscribe(Reserved, { group: "orders" }, (body) => void answered.push(body)),
  ]);
  const inventory = createBus(part("inventory"), [
    subscribe(Reserve, { group: "stock" }, (body) => {
      handled.push(body);
      return { n: body.n, text: `reserved ${body.text}` };
    }),
  ]);
  // Streams are there once their subscribers have started.
  await Promise.all([orders.tick(), inventory.tick()]);
  const bodies = ["007", `{"a":1}`, "Grüße 日本語 👍"].map((text, n) => ({ n, text }));
  await orders.publishMany(Reserve, bodies, { callback: Reserved });
  const ticks: (readonly [number, number, number])[] = [];
  for (const bus of [orders, inventory, orders]) {
    const report = await bus.tick();
    ticks.push([report.sent, report.received, report.handled]);
  }
  const counts = [orders, inventory].flatMap(({ store }) => [
    store.count("outbox"),
    store.count("inbox"),
  ]);
  const succeeded = (await Promise.all(counts)).map((count) => count.succeeded);
  await Promise.all([orders.stop(), inventory.stop()]);
  return { ticks, handled, answered, succeeded };
}
