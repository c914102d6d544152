import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { seededFaults } from "../../../devtools/qstash_emulator/mod.ts";
import { defineMessage, subscribe } from "../../../mod.ts";
import { qstashWorld } from "../../support/qstash_world.ts";

const Marked = defineMessage("order.marked", { body: z.object({ n: z.number() }) });
const Deduct = defineMessage("stock.deduct", {
  body: z.object({ n: z.number() }),
  reply: Marked.body,
});

const ORDERS = 60;

describe("orders over QStash, while a third of the attempts fail and the keys rotate", () => {
  for (const seed of [1, 2, 3]) {
    it(`settle once each (seed ${seed})`, async () => {
      const handled = new Map<number, number>();
      const marked = new Map<number, number>();
      const count = (of: Map<number, number>, n: number) => void of.set(n, (of.get(n) ?? 0) + 1);
      const tries = new Map<number, number>();
      const world = await qstashWorld({
        inventory: [subscribe(Deduct, { group: "inventory" }, ({ n }) => {
          count(tries, n);
          // Some handlers fail too, the first time or two.
          if (tries.get(n)! <= n % 3) throw new Error("busy");
          count(handled, n);
          return { n };
        })],
        orders: [subscribe(Marked, { group: "orders" }, ({ n }) => count(marked, n))],
        emulator: {
          faults: {
            delivery: seededFaults({
              seed,
              rate: 1 / 3,
              kinds: [
                { kind: "request_lost" },
                { kind: "answer_lost" },
                { kind: "duplicate" },
                { kind: "duplicate", atOnce: true },
                { kind: "answer", status: 502 },
                { kind: "delay", delayMs: 5_000 },
              ],
            }),
            // QStash itself does not always answer.
            api: ({ count }) => count % 3 === 0 ? { kind: "answer_lost" } : undefined,
          },
        },
      });
      const { orders, inventory, qstash } = world;
      const bodies = Array.from({ length: ORDERS }, (_, n) => ({ n }));
      await orders.bus.publishMany(Deduct, bodies, { callback: Marked });
      // As a function would: each request sends after it what it left to send.
      for (let minute = 0; minute < 120 && marked.size < ORDERS; minute++) {
        await orders.bus.tick();
        await qstash.emulator.advance(60_000);
        await inventory.bus.tick();
        if (minute === 1) qstash.emulator.rotateKeys();
      }
      await qstash.emulator.drain();
      const once = bodies.map(({ n }) => [n, 1]);
      const sorted = (of: Map<number, number>) => [...of].sort(([a], [b]) => a - b);
      assert.deepEqual(sorted(handled), once);
      assert.deepEqual(sorted(marked), once);
      for (const { store } of [orders, inventory]) {
        const { succeeded, failed, scheduled } = await store.count("outbox");
        assert.deepEqual([succeeded, failed, scheduled], [ORDERS, 0, 0]);
      }
      await world.close();
    });
  }
});
