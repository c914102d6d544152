/**
 * Brings the tables of a service into one database with those of the other, so that one query can compare them.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus/ports";
import { EFFECTS } from "./business.ts";
import type { ServiceName } from "./protocol.ts";

/** The columns of a record that are compared, with their types. */
const RECORD = {
  id: "text",
  subscriber_group: "text",
  name: "text",
  state: "text",
  attempts: "int",
  crashes: "int",
  epoch: "bigint",
  reason: "text",
  body: "text",
};

/** How many rows are copied at once. */
const PAGE = 5_000;

/** Makes tables for the records of a service, where its own are not. */
export async function createRecordTables(client: SqlClient, service: ServiceName): Promise<void> {
  const columns = Object.entries(RECORD).map(([name, type]) => `${name} ${type}`).join(", ");
  await client.query(`create schema ${service}`);
  for (const box of ["outbox", "inbox"]) {
    await client.query(`create table ${service}.${box} (${columns})`);
  }
}

/** Adds rows, given as objects, to a table. */
export async function addRows(
  client: SqlClient,
  table: string,
  rows: readonly unknown[],
): Promise<void> {
  await client.query(
    `insert into ${table} select * from json_populate_recordset(null::${table}, $1::text::json)`,
    [JSON.stringify(rows)],
  );
}

/** Copies the records of the stock service and their effects to another database. */
export async function copyStock(from: SqlClient, to: SqlClient): Promise<void> {
  await createRecordTables(to, "stock");
  for (const box of ["outbox", "inbox"]) {
    await copyTable(from, to, `stock.${box}`, Object.keys(RECORD).join(", "));
  }
  for (const table of Object.values(EFFECTS).filter((each) => each.startsWith("warehouse."))) {
    await copyTable(from, to, table, "order_id, message_id");
  }
}

async function copyTable(
  from: SqlClient,
  to: SqlClient,
  table: string,
  columns: string,
): Promise<void> {
  let after = "(0,0)";
  for (;;) {
    const { rows } = await from.query(
      `select ctid::text as place, ${columns} from ${table}
        where ctid > $1::text::tid order by ctid limit ${PAGE}`,
      [after],
    );
    const last = rows.at(-1) as { readonly place: string } | undefined;
    if (last === undefined) return;
    await addRows(to, table, rows);
    after = last.place;
  }
}
