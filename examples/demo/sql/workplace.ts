/**
 * Databases in SQL: a temporary folder with a PGlite database for each service and the bank, or a schema for each
 * on a Postgres server.
 *
 * @module
 */

import { cp } from "node:fs/promises";
import type { SqlClient } from "@atlast/bus";
import { openPglite } from "@atlast/bus/pglite";
import postgres from "postgres";
import type { DatabaseName } from "../business.ts";
import type { Side } from "../side.ts";
import type { AllSides, Workplace } from "../workplace.ts";
import { openDatabase, type SqlAddress } from "./database.ts";

type SqlAddresses = Readonly<Record<DatabaseName, SqlAddress>>;

/** Finds a place for the databases, on the server at this URL if one is given. */
export async function sqlWorkplace(databaseUrl: string | null): Promise<Workplace> {
  return databaseUrl === null ? await folderPlace() : await serverPlace(databaseUrl);
}

async function folderPlace(): Promise<Workplace> {
  const folder = await Deno.makeTempDir({ prefix: "atlast-demo-" });
  const address = (schema: DatabaseName) =>
    ({ kind: "pglite", folder: `${folder}/${schema}`, schema }) as const;
  const at = addressesBy(address);
  return {
    ...placeOf(at),
    place: `PGlite in ${folder}`,
    stays: true,
    make: () => makeFolders(Object.values(at).map(({ schema }) => `${folder}/${schema}`)),
    remove: () => Deno.remove(folder, { recursive: true }),
  };
}

async function serverPlace(url: string): Promise<Workplace> {
  const run = crypto.randomUUID().slice(0, 8);
  const address = (name: DatabaseName) =>
    ({ kind: "postgres", url, schema: `atlast_demo_${name}_${run}` }) as const;
  const at = addressesBy(address);
  const schemas = Object.values(at).map(({ schema }) => schema);
  // Finds out now, rather than in two processes, whether the server can be reached.
  try {
    await withServer(url, (sql) => sql`select 1`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot use the server of --database-url: ${why}`, { cause: error });
  }
  return {
    ...placeOf(at),
    place: `Postgres at ${new URL(url).host}, schemas ${schemas.join(", ")}`,
    stays: false,
    make: () => Promise.resolve(),
    remove: () =>
      withServer(url, async (sql) => {
        for (const schema of schemas) await sql.unsafe(`drop schema if exists "${schema}" cascade`);
      }),
  };
}

function placeOf(at: SqlAddresses): Pick<Workplace, "addresses" | "open" | "remark"> {
  return { addresses: { kind: "sql", at }, open: () => openAll(at), remark: () => null };
}

async function openAll(at: SqlAddresses): Promise<AllSides> {
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
    sides: {
      orders: sqlSide(orders, at.orders.schema),
      inventory: sqlSide(inventory, at.inventory.schema),
      bank: sqlSide(bank, at.bank.schema),
    },
    scratch: orders,
    async close() {
      for (const close of closes) await close();
    },
  };
}

/** A schema as the reconciliation reads it. */
export function sqlSide({ query }: SqlClient, schema: string): Side {
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

/** A new database of PGlite's takes seconds of work, a copy of one hardly any. */
async function makeFolders([first, ...others]: readonly string[]): Promise<void> {
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
