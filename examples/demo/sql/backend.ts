/**
 * Opens the databases of a run in SQL.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus";
import type { Backend } from "../services/business_data.ts";
import { BANK_SQL, sqlBank } from "./bank.ts";
import { type Database, execute, openDatabase, type SqlAddress } from "./database.ts";
import { ORDERS_SQL, sqlOrderBook } from "./order_book.ts";
import { INVENTORY_SQL, sqlStockRoom } from "./stock_room.ts";

/** Opens databases and creates their tables. */
export const SQL: Backend<SqlAddress, SqlClient, SqlClient> = {
  rollsBack: true,
  async orders(address) {
    const database = await openWithTables(address, ORDERS_SQL);
    return { ...await serviceData(database), orderBook: sqlOrderBook(database) };
  },
  async inventory(address, stock) {
    const database = await openWithTables(address, INVENTORY_SQL);
    for (const { productId, name, qty } of stock) {
      await database.query(
        `insert into stock (product_id, name, initial_qty, qty) values ($1, $2, $3, $3)
         on conflict do nothing`,
        [productId, name, qty],
      );
    }
    return { ...await serviceData(database), stockRoom: sqlStockRoom(database) };
  },
  async bank(address, accounts) {
    const database = await openWithTables(address, BANK_SQL);
    for (const { customerId, cents } of accounts) {
      await database.query(
        `insert into accounts (customer_id, opening_cents, balance_cents) values ($1, $2, $2)
         on conflict do nothing`,
        [customerId, cents],
      );
    }
    return { bank: sqlBank, fence: database.fence, close: () => database.close() };
  },
};

async function openWithTables(address: SqlAddress, tables: string): Promise<Database> {
  const database = await openDatabase(address);
  await execute(database, tables);
  return database;
}

async function serviceData({ store, query, close }: Database) {
  const { rows } = await query("show server_version");
  const version = (rows[0] as { server_version: string }).server_version.split(" ")[0];
  return { store, engine: `Postgres ${version}`, close };
}
