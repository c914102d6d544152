/**
 * The databases of a run in SQL: a PGlite database for each service and the bank in a temporary folder, or a
 * schema for each on a Postgres server.
 *
 * @module
 */

import { cp } from "node:fs/promises";
import type { SqlClient } from "@atlast/bus";
import { openPglite } from "@atlast/bus/pglite";
import postgres from "postgres";
import type { DatabaseName } from "../services/business_data.ts";
import type { TableReader } from "../reconciliation/table_reader.ts";
import type { OpenDatabases, RunDatabases } from "../run_databases.ts";
import { openDatabase, type SqlAddress } from "./database.ts";

type SqlAddresses = Readonly<Record<DatabaseName, SqlAddress>>;

/** Chooses where the databases are: on the server at this URL, or in a folder without one. */
export async function createSqlDatabases(databaseUrl: string | null): Promise<RunDatabases> {
  return databaseUrl === null
    ? await createPgliteDatabases()
    : await createPostgresDatabases(databaseUrl);
}

async function createPgliteDatabases(): Promise<RunDatabases> {
  const folder = await Deno.makeTempDir({ prefix: "atlast-demo-" });
  const address = (schema: DatabaseName) =>
    ({ kind: "pglite", folder: `${folder}/${schema}`, schema }) as const;
  const at = addressesBy(address);
  return {
    ...databasesAt(at),
    description: `PGlite in ${folder}`,
    canBeKept: true,
    create: () => createFolders(Object.values(at).map(({ schema }) => `${folder}/${schema}`)),
    remove: () => Deno.remove(folder, { recursive: true }),
  };
}

async function createPostgresDatabases(url: string): Promise<RunDatabases> {
  const run = crypto.randomUUID().slice(0, 8);
  const address = (name: DatabaseName) =>
    ({ kind: "postgres", url, schema: `atlast_demo_${name}_${run}` }) as const;
  const at = addressesBy(address);
  const schemas = Object.values(at).map(({ schema }) => schema);
  // Fails here, rather than in both services, if the server cannot be reached.
  try {
    await withServer(url, (sql) => sql`select 1`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot use the server of --database-url: ${why}`, { cause: error });
  }
  return {
    ...databasesAt(at),
    description: `Postgres at ${new URL(url).host}, schemas ${schemas.join(", ")}`,
    canBeKept: false,
    create: () => Promise.resolve(),
    remove: () =>
      withServer(url, async (sql) => {
        for (const schema of schemas) await sql.unsafe(`drop schema if exists "${schema}" cascade`);
      }),
  };
}

function databasesAt(at: SqlAddresses): Pick<RunDatabases, "addresses" | "open" | "describeCost"> {
  return { addresses: { kind: "sql", at }, open: () => openAll(at), describeCost: () => null };
}

async function openAll(at: SqlAddresses): Promise<OpenDatabases> {
  const closes: (() => Promise<void>)[] = [];
  const open = async (name: DatabaseName) => {
    const { query, close } = await openDatabase(at[name], { connections: 1 });
    closes.push(close);
    return { query };
  };
  const [orders, inventory, bank] = [
    await open("orders"),
    await open("inventory"),
    await open("bank"),
  ];
  return {
    readers: {
      orders: sqlTableReader(orders, at.orders.schema),
      inventory: sqlTableReader(inventory, at.inventory.schema),
      bank: sqlTableReader(bank, at.bank.schema),
    },
    scratch: orders,
    async close() {
      for (const close of closes) await close();
    },
  };
}

/** Reads the tables of a schema for the reconciliation. */
export function sqlTableReader({ query }: SqlClient, schema: string): TableReader {
  return {
    async readAll(table, columns) {
      const { rows } = await query(
        `select coalesce(json_agg(t), '[]')::text as all_rows
         from (select ${columns.join(", ")} from "${schema}".${table}) as t`,
      );
      return (rows[0] as { all_rows: string }).all_rows;
    },
  };
}

/** Creates one PGlite database and copies it: a new one takes seconds, a copy does not. */
async function createFolders([first, ...others]: readonly string[]): Promise<void> {
  if (first === undefined) return;
  const db = await openPglite(first);
  await db.close();
  await Promise.all(others.map((other) => cp(first, other, { recursive: true })));
}

function addressesBy(address: (name: DatabaseName) => SqlAddress): SqlAddresses {
  return { orders: address("orders"), inventory: address("inventory"), bank: address("bank") };
}

async function withServer(
  url: string,
  work: (sql: postgres.Sql) => PromiseLike<unknown>,
): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, fetch_types: false, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
