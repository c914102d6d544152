/**
 * A message store and a business database that no one transaction covers.
 *
 * @module
 */
import type { PGlite } from "@electric-sql/pglite";
import type postgres from "postgres";
import { pgliteFence, pgliteStore } from "../../adapters/pglite/mod.ts";
import { pgFence, pgStore } from "../../adapters/pg/mod.ts";
import { fromPostgresJs, postgresFence, postgresStore } from "../../adapters/postgres/mod.ts";
import type { Store } from "../../core/ports/store.ts";
import type { Fence } from "../../core/ports/fence.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import { connectPg } from "./pg.ts";
import { connect, dropSchema, freshSchema } from "./postgres.ts";

/** Two databases of one kind, for one test. */
export interface TwoDatabases {
  /** The schema in both that is this test's own. */
  readonly schema: string;
  /** The message store, as one more process would open it. */
  newStore(): Store;
  /** The fence in the business database, likewise. */
  newFence(): Fence;
  /** Writes a payment within a transaction of the fence: the business operation. */
  pay(tx: unknown, id: string): Promise<void>;
  /** The payments that have committed. */
  payments(): Promise<string[]>;
  /** Writes an effect of a handler within a transaction of the store. */
  ship(tx: unknown, id: string): Promise<void>;
  /** The effects that have committed. */
  shipments(): Promise<string[]>;
  /** What the fence says of a message, without asking it: asking would decide. */
  fenced(id: string): Promise<string | null>;
  close(): Promise<void>;
}

/** The tables of a business database, and of a service that handles messages. */
const TABLES = { payment: "payment", shipment: "shipment" } as const;

/** Two instances of PGlite, of which this test gets a schema each. */
export async function onPglite(messages: PGlite, business: PGlite): Promise<TwoDatabases> {
  const schema = freshSchema();
  const databases = await withTables(schema, messages, business, (tx) => tx as SqlClient);
  return {
    ...databases,
    schema,
    newStore: () => pgliteStore(messages, { schema }) as Store,
    newFence: () => pgliteFence(business, { schema }) as Fence,
    async close() {
      for (const db of [messages, business]) {
        await db.exec(`drop schema if exists "${schema}" cascade`);
      }
    },
  };
}

/** Two databases on a server, or one of them twice. */
export async function onPostgres(url: string, businessUrl: string): Promise<TwoDatabases> {
  const schema = freshSchema();
  const [messages, business] = [connect(url), connect(businessUrl)];
  const databases = await withTables(
    schema,
    fromPostgresJs(messages),
    fromPostgresJs(business),
    (tx) => fromPostgresJs(tx as postgres.TransactionSql),
  );
  return {
    ...databases,
    schema,
    newStore: () => postgresStore(messages, { schema }) as Store,
    newFence: () => postgresFence(business, { schema, waitMs: 100 }) as Fence,
    async close() {
      for (const sql of [messages, business]) {
        await dropSchema(sql, schema);
        await sql.end();
      }
    },
  };
}

/** Two databases on a server, or one of them twice, through `pg`. */
export async function onPg(url: string, businessUrl: string): Promise<TwoDatabases> {
  const schema = freshSchema();
  const [messages, business] = [connectPg(url), connectPg(businessUrl)];
  const databases = await withTables(schema, messages, business, (tx) => tx as SqlClient);
  return {
    ...databases,
    schema,
    newStore: () => pgStore(messages, { schema }) as Store,
    newFence: () => pgFence(business, { schema, waitMs: 100 }) as Fence,
    async close() {
      for (const pool of [messages, business]) {
        await pool.query(`drop schema if exists "${schema}" cascade`);
        await pool.end();
      }
    },
  };
}

/** Makes a database of the caller's own on the server of `url`; gives back where it is, and how to drop it. */
export async function newDatabase(
  url: string,
): Promise<{ readonly url: string; drop(): Promise<void> }> {
  const name = freshSchema();
  await once(url, `create database ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return { url: own.href, drop: () => once(url, `drop database ${name} with (force)`) };
}

async function once(url: string, statement: string): Promise<void> {
  const sql = connect(url, { max: 1 });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

type Tables = Omit<TwoDatabases, "schema" | "newStore" | "newFence" | "close">;

async function withTables(
  schema: string,
  messages: SqlClient,
  business: SqlClient,
  clientOf: (tx: unknown) => SqlClient,
): Promise<Tables> {
  for (const client of [messages, business]) {
    await client.query(`create schema if not exists "${schema}"`);
    for (const table of Object.values(TABLES)) {
      // No key: an effect that happens twice must show.
      await client.query(`create table if not exists "${schema}".${table} (id text not null)`);
    }
  }
  const write = async (tx: unknown, table: string, id: string): Promise<void> => {
    await clientOf(tx).query(`insert into "${schema}".${table} (id) values ($1)`, [id]);
  };
  const written = async (client: SqlClient, table: string): Promise<string[]> => {
    const { rows } = await client.query(`select id from "${schema}".${table} order by id`);
    return (rows as { id: string }[]).map(({ id }) => id);
  };
  return {
    pay: (tx, id) => write(tx, TABLES.payment, id),
    payments: () => written(business, TABLES.payment),
    ship: (tx, id) => write(tx, TABLES.shipment, id),
    shipments: () => written(messages, TABLES.shipment),
    async fenced(id) {
      const { rows } = await business.query(
        `select outcome from "${schema}".fence where message_id = $1`,
        [id],
      );
      return (rows as { outcome: string }[])[0]?.outcome ?? null;
    },
  };
}
