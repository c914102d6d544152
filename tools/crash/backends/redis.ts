/**
 * A crash run on Redis: one server that keeps every acknowledged write, with a prefix for each service.
 *
 * @module
 */
import { PGlite } from "@electric-sql/pglite";
import type { Store, StoredRecord } from "@atlast/bus/ports";
import { upstashRedisStore } from "@atlast/bus/upstash-redis";
import { EFFECTS, TABLES } from "../business.ts";
import { addRows, createRecordTables } from "../copy_tables.ts";
import { SERVICES } from "../protocol.ts";
import { ACKNOWLEDGED, ORDERS, PAYMENTS } from "../redis_keys.ts";
import { type RestRedis, TOKEN } from "../rest_redis.ts";
import { sumOfStandings } from "../standing.ts";
import { REST } from "../wire.ts";
import { type Backend, WITHOUT_STANDBYS } from "./backend.ts";

/** How many records are read at once. */
const PAGE = 1_000;

/** Uses a server. */
export function redisBackend(server: RestRedis): Backend {
  const { redis } = server;
  const stores = SERVICES.map((prefix) => upstashRedisStore({ redis, prefix }));
  const db = new PGlite();
  return {
    ...WITHOUT_STANDBYS,
    wire: REST,
    portsOf: () => [server.port],
    configOf: (_service, port) => ({ kind: "redis", port, token: TOKEN }),
    async standing() {
      const all = stores.flatMap((store) => BOXES.map((box) => store.count(box)));
      return sumOfStandings((await Promise.all(all)).map((counts) => ({
        unsettled: counts.scheduled + counts.prepared,
        failed: counts.failed,
      })));
    },
    crash: () => server.crash(),
    async tables() {
      for (const statement of TABLES) await db.query(statement);
      for (const [i, service] of SERVICES.entries()) {
        await createRecordTables(db, service);
        for (const box of BOXES) {
          for await (const records of recordsOf(stores[i] as Store, box)) {
            await addRows(db, `${service}.${box}`, records.map(rowOf));
          }
        }
      }
      const members = async (key: string) => await redis.smembers(key);
      const items = async (key: string) => await redis.lrange(key, 0, -1);
      await addRows(db, ORDERS, (await members(ORDERS)).map((id) => ({ id, how: "" })));
      const acknowledged = await members(ACKNOWLEDGED);
      await addRows(db, ACKNOWLEDGED, acknowledged.map((id) => ({ message_id: id })));
      const payments = await items(PAYMENTS);
      await addRows(db, PAYMENTS, payments.map((id) => ({ order_id: id })));
      for (const table of Object.values(EFFECTS)) {
        await addRows(db, table, (await items(table)).map((row) => JSON.parse(row)));
      }
      return db;
    },
    stop: () => db.close(),
  };
}

const BOXES = ["outbox", "inbox"] as const;

async function* recordsOf(
  store: Store,
  box: (typeof BOXES)[number],
): AsyncGenerator<readonly StoredRecord[]> {
  let last: StoredRecord | undefined;
  do {
    const records: StoredRecord[] = await store.list({
      box,
      limit: PAGE,
      ...last === undefined ? {} : {
        after: { createdAtMs: last.createdAtMs, key: { id: last.message.id, group: last.group } },
      },
    });
    yield records;
    last = records.at(-1);
  } while (last !== undefined);
}

/** A record as a row of the tables that are compared. */
function rowOf({ message, group, state, attempts, crashes, epoch, reason }: StoredRecord): unknown {
  const { id, name, body } = message;
  return { id, name, state, attempts, crashes, epoch, reason, body, subscriber_group: group };
}
