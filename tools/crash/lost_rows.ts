/**
 * Finds, row by row, what a killed primary had and its standby did not have when it took over.
 *
 * @module
 */
import type postgres from "postgres";
import type { PrivateServer } from "../postgres_server.ts";
import { EFFECTS } from "./business.ts";
import type { ServiceName } from "./protocol.ts";
import { rest } from "./rest.ts";
import { directly } from "./watch.ts";

/** A row of one table. */
export interface LostRow {
  /** Its table, with the schema. */
  readonly table: string;
  /** The id of its message, or of its order where the row is not about a message. */
  readonly id: string;
  /** Its order; null where the row does not say. */
  readonly orderId: string | null;
}

/** The fence of the orders service. */
export const FENCE = "ledger.fence";

/** How often it is looked whether a standby is behind, and for how long at most, in milliseconds. */
const LOOK_MS = 50;
const MAX_WAIT_MS = 20_000;
/** How many rows are read at once. */
const PAGE = 10_000;

const box = (service: ServiceName, name: "outbox" | "inbox") =>
  `select '${service}.${name}' as table, id, body::json ->> 'orderId' as order_id
    from ${service}.${name}`;
const ids = (table: string, column: string, orderId: string | null) =>
  `select '${table}' as table, ${column} as id, ${orderId ?? "null"} as order_id from ${table}`;

/** Every row of a service that says that something has happened. */
const ROWS: Readonly<Record<ServiceName, readonly string[]>> = {
  orders: [
    box("orders", "outbox"),
    box("orders", "inbox"),
    ids("shop.orders", "id", "id"),
    ids("shop.acknowledged", "message_id", "message_id"),
    ids("shop.answers", "message_id", "order_id"),
    ids("ledger.payments", "order_id", "order_id"),
    ids(FENCE, "message_id", null),
  ],
  stock: [
    box("stock", "outbox"),
    box("stock", "inbox"),
    ...Object.values(EFFECTS).filter((table) => table.startsWith("warehouse.")).map((table) =>
      ids(table, "message_id", "order_id")
    ),
  ],
};

/**
 * Compares a killed primary, which was started apart, with its promoted standby as it is now. Calls `onSeen` once what
 * the standby gets from then on makes no difference.
 */
export async function lostRows(
  service: ServiceName,
  primary: PrivateServer,
  promoted: PrivateServer,
  onSeen: () => void,
): Promise<LostRow[]> {
  const [from, to] = [directly(primary.port), directly(promoted.port)];
  try {
    return await to.begin("isolation level repeatable read read only", async (snapshot) => {
      await snapshot`select 1`;
      onSeen();
      const lost: LostRow[] = [];
      for (const query of ROWS[service]) {
        const kept = new Set<string>();
        for await (const row of rowsOf(snapshot, query)) kept.add(row.id);
        let count = 0;
        for await (const row of rowsOf(from, query)) {
          if (!kept.has(row.id)) lost.push(row);
          else count += 1;
        }
        if (count < kept.size) {
          throw new Error(`The standby has rows that its primary lacks: ${query}`);
        }
      }
      return lost;
    });
  } finally {
    await Promise.all([from.end(), to.end()]);
  }
}

/**
 * Resolves when a primary has messages of a service that its standby does not have, or none came for a while. The way
 * between them is interrupted.
 */
export async function fallsBehind(
  service: ServiceName,
  primary: PrivateServer,
  standby: PrivateServer,
): Promise<void> {
  const [from, to] = [directly(primary.port), directly(standby.port)];
  const countIn = async (sql: postgres.Sql): Promise<number> => {
    const [row] = await sql.unsafe(`select
      (select count(*) from ${service}.outbox) + (select count(*) from ${service}.inbox) as count`);
    return Number(row?.["count"]);
  };
  try {
    const startedAt = performance.now();
    const before = await countIn(to);
    while (await countIn(from) === before && performance.now() - startedAt < MAX_WAIT_MS) {
      await rest(LOOK_MS);
    }
  } finally {
    await Promise.all([from.end(), to.end()]);
  }
}

async function* rowsOf(
  sql: postgres.Sql | postgres.TransactionSql,
  query: string,
): AsyncGenerator<LostRow> {
  for await (const rows of sql.unsafe(query).cursor(PAGE)) {
    for (const row of rows) yield { table: row["table"], id: row["id"], orderId: row["order_id"] };
  }
}
