/**
 * Copies the tables of all databases into temporary tables of one connection, so that one query can read both
 * services and the bank.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus";
import type { DatabaseName } from "../services/business_data.ts";
import type { OpenDatabases } from "../run_databases.ts";

const BOX_COLUMNS =
  "id text, name text, state text, attempts integer, crashes integer, headers text, body text";

/** Each copy: its database, the table there, and its columns. */
const COPIES: Readonly<Record<string, readonly [DatabaseName, string, string]>> = {
  orders: [
    "orders",
    "orders",
    "order_id integer, customer_id integer, product_id integer, qty integer, " +
    "price_cents integer, status text, payment_attempt integer, message_id text",
  ],
  wallets: [
    "orders",
    "wallets",
    "customer_id integer, reserved_cents bigint, spent_cents bigint",
  ],
  stock: [
    "inventory",
    "stock",
    "product_id integer, name text, initial_qty integer, qty integer",
  ],
  deductions: ["inventory", "deductions", "order_id integer, product_id integer, qty integer"],
  accounts: ["bank", "accounts", "customer_id integer, opening_cents bigint, balance_cents bigint"],
  payments: [
    "bank",
    "payments",
    "payment_id text, order_id integer, customer_id integer, cents integer",
  ],
  fence: ["bank", "fence", "message_id text, outcome text"],
  orders_outbox: ["orders", "outbox", BOX_COLUMNS],
  orders_inbox: ["orders", "inbox", BOX_COLUMNS],
  inventory_outbox: ["inventory", "outbox", BOX_COLUMNS],
  inventory_inbox: ["inventory", "inbox", BOX_COLUMNS],
};

const BOXES = ["orders_outbox", "inventory_inbox", "inventory_outbox", "orders_inbox"];

/**
 * Copies all tables into temporary tables of the scratch connection, which it returns. They hide tables of
 * the same name.
 */
export async function copyTables(
  { readers, scratch }: Omit<OpenDatabases, "close">,
): Promise<SqlClient> {
  for (const [copy, [service, table, columns]] of Object.entries(COPIES)) {
    const names = columns.split(", ").map((column) => column.split(" ")[0] as string);
    const rows = await readers[service].readAll(table, names);
    await scratch.query(`create temporary table ${copy} (${columns})`);
    await scratch.query(
      `insert into pg_temp.${copy} select * from json_to_recordset($1::text::json) as t (${columns})`,
      [rows],
    );
  }
  const boxes = BOXES.map((box) =>
    `select '${box.replace("_", " ")}' as box, * from pg_temp.${box}`
  );
  await scratch.query(`create temporary table boxes as ${boxes.join(" union all ")}`);
  return scratch;
}
