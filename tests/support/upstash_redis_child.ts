/**
 * A process that claims records of the outbox and settles them until there are none. It begins when it is told
 * to on its standard input, and says what it claimed and what it settled on its standard output.
 *
 * @module
 */
import process from "node:process";
import { Redis } from "@upstash/redis";
import { upstashRedisStore } from "../../adapters/upstash_redis/mod.ts";
import { claim, ids, settlement } from "../../devtools/conformance/store/subject.ts";

const [url, token, prefix] = process.argv.slice(2) as [string, string, string];
const store = upstashRedisStore({ redis: new Redis({ url, token }), prefix });

console.log(JSON.stringify({ ready: true }));
await new Promise((resolve) => process.stdin.once("data", resolve));
process.stdin.destroy();

const claimed: string[] = [];
let settled = 0;
for (let batch = await claim(store, { limit: 7 }); batch.length > 0;) {
  claimed.push(...ids(batch));
  const applied = await store.settle("outbox", batch.map((record) => settlement(record)));
  settled += applied.filter(Boolean).length;
  batch = await claim(store, { limit: 7 });
}
console.log(JSON.stringify({ claimed, settled }));
