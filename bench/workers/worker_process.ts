/**
 * A measuring process: does one thing and says how it went. Commands come as arguments, the word to
 * start as a line on standard input, what is to be said goes as lines of JSON to standard output.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import type { Order, Report } from "./protocol.ts";
import { measureAllocation, measureCore } from "./tasks/core.ts";
import { handle, publishEvenly, publishWhole } from "./tasks/handle.ts";
import { prune } from "./tasks/prune.ts";
import { prepare, publish, publishDelayed } from "./tasks/publish.ts";
import { loadSubject } from "../subjects/registry.ts";

const order = JSON.parse(process.argv[2] as string) as Order;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Says something to whoever started this process. */
function say(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

function sayValue(value: number, second: number | null = null): void {
  say({ kind: "value", value, second });
}

/** Waits for the next word of whoever started this process. */
async function told(): Promise<void> {
  await lines.next();
}

async function main(): Promise<void> {
  switch (order.role) {
    case "core": {
      if (order.what === "rate") return sayValue(measureCore(order.durationMs));
      const { transition, nextAttempt } = measureAllocation(order.durationMs);
      return sayValue(transition, nextAttempt);
    }
    case "edge": {
      // Loaded here alone: peers run without the packages it needs.
      const { measureEdge } = await import("./tasks/edge.ts");
      return sayValue(await measureEdge(order.bare, order.durationMs));
    }
    case "pglite": {
      const { measurePglite } = await import("./tasks/pglite.ts");
      return sayValue(await measurePglite(order.durationMs));
    }
    case "upstash-redis": {
      const role = await import("./tasks/upstash_redis.ts");
      if (order.what === "rate") {
        return sayValue(await role.measureUpstashRate(order.redisPort, order.durationMs));
      }
      const { message, idleTick } = await role.measureUpstashCommands(order.redisPort);
      return sayValue(message, idleTick);
    }
  }
  const subject = await loadSubject(order.subject);
  const session = await subject.open(order.open);
  const talk = { say, told };
  switch (order.role) {
    case "prepare":
      await prepare(session, order);
      break;
    case "publish":
      await publish(session, order, talk);
      break;
    case "handle":
      await handle(session, order, talk);
      break;
    case "whole":
      await publishWhole(session, order, talk);
      break;
    case "pace":
      await publishEvenly(session, order, talk);
      break;
    case "delayed":
      await publishDelayed(session, order, talk);
      break;
    case "prune":
      await prune(session, order, talk);
      break;
  }
  await session.close();
}

await main();
process.exit(0);
