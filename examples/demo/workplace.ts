/**
 * Where a run's databases are: a temporary folder with a PGlite database for each service and the bank, or
 * a schema for each on a Postgres server.
 *
 * @module
 */
import { cp } from "node:fs/promises";
import { openPglite } from "@atlast/bus/pglite";
import postgres from "postgres";
import type { DatabaseAddress, DatabaseName } from "./database.ts";

/** The databases of a run. */
export interface Workplace {
  /** Where it is, for people. */
  readonly place: string;
  /** Each service's database, and the bank's. */
  readonly addresses: Readonly<Record<DatabaseName, DatabaseAddress>>;
  /** Makes the databases, where that takes time; the services make their tables in them. */
  make(): Promise<void>;
  /** Deletes the databases. */
  remove(): Promise<void>;
}

/** Finds a place for the databases, on the server at this URL if one is given. */
export async function makeWorkplace(databaseUrl: string | null): Promise<Workplace> {
  return databaseUrl === null ? await folderPlace() : await serverPlace(databaseUrl);
}

async function folderPlace(): Promise<Workplace> {
  const folder = await Deno.makeTempDir({ prefix: "atlast-demo-" });
  const address = (schema: DatabaseName) =>
    ({ kind: "pglite", folder: `${folder}/${schema}`, schema }) as const;
  const addresses = addressesBy(address);
  return {
    place: `PGlite in ${folder}`,
    addresses,
    make: () => makeFolders(Object.values(addresses).map(({ schema }) => `${folder}/${schema}`)),
    remove: () => Deno.remove(folder, { recursive: true }),
  };
}

async function serverPlace(url: string): Promise<Workplace> {
  const run = crypto.randomUUID().slice(0, 8);
  const address = (name: DatabaseName) =>
    ({ kind: "postgres", url, schema: `atlast_demo_${name}_${run}` }) as const;
  const addresses = addressesBy(address);
  const schemas = Object.values(addresses).map(({ schema }) => schema);
  // Finds out now, rather than in two processes, whether the server can be reached.
  try {
    await withServer(url, (sql) => sql`select 1`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot use the server of --database-url: ${why}`, { cause: error });
  }
  return {
    place: `Postgres at ${new URL(url).host}, schemas ${schemas.join(", ")}`,
    addresses,
    make: () => Promise.resolve(),
    remove: () =>
      withServer(url, async (sql) => {
        for (const schema of schemas) await sql.unsafe(`drop schema if exists "${schema}" cascade`);
      }),
  };
}

/** A new database of PGlite's takes seconds of work, a copy of one hardly any. */
async function makeFolders([first, ...others]: readonly string[]): Promise<void> {
  if (first === undefined) return;
  const db = await openPglite(first);
  await db.close();
  await Promise.all(others.map((other) => cp(first, other, { recursive: true })));
}

function addressesBy(address: (name: DatabaseName) => DatabaseAddress): Workplace["addresses"] {
  return { orders: address("orders"), inventory: address("inventory"), bank: address("bank") };
}

async function withServer(
  url: string,
  work: (sql: postgres.Sql) => PromiseLike<unknown>,
): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} });
  try {
    await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
