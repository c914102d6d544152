/**
 * Every driver of the store on a Postgres server, for tests of what each of them must do.
 *
 * @module
 */
import type pg from "pg";
import type postgres from "postgres";
import { pgFence, pgStore } from "../../adapters/pg/mod.ts";
import { guardPostgres, postgresFence, postgresStore } from "../../adapters/postgres/mod.ts";
import type { SqlFenceOptions, SqlStoreOptions } from "../../adapters/sql/mod.ts";
import type { Fence } from "../../core/ports/fence.ts";
import type { Store } from "../../core/ports/store.ts";
import { connectPg } from "./pg.ts";
import { connect } from "./postgres.ts";

/** A row, by the names of its columns. */
// deno-lint-ignore no-explicit-any -- each test knows what it has selected.
type Row = Record<string, any>;

/** A user's client of some driver. */
export interface DriverClient {
  store(options: SqlStoreOptions): Store;
  fence(options: SqlFenceOptions): Fence;
  /** Runs a statement outside a transaction, or in `tx`. It is sent at once, and need not be awaited. */
  run(text: string, params?: unknown[], tx?: unknown): PromiseLike<Row[]>;
  /** Runs work in a transaction that the user begins without the store. */
  begin(work: (tx: unknown) => Promise<unknown>): Promise<unknown>;
  /** Runs work in a savepoint of a transaction. */
  savepoint(tx: unknown, work: (tx: unknown) => Promise<unknown>): Promise<unknown>;
  /** The texts of statements, as the driver sent them, until the test empties it. */
  readonly sent: string[];
  /** Ends it, also where a connection does not answer. */
  end(): Promise<void>;
}

/** How a client is made. */
export interface ClientOptions {
  /** How many connections it has at most. */
  readonly max?: number;
  /** Whether statements of the store are prepared. */
  readonly prepare?: boolean;
  /** The default level of its transactions. */
  readonly level?: "read committed" | "repeatable read" | "serializable";
}

/** A driver. */
export interface TestedDriver {
  readonly name: string;
  connect(url: string, options?: ClientOptions): DriverClient;
}

/** Each driver. */
export const DRIVERS: readonly TestedDriver[] = [
  { name: "postgres.js", connect: onPostgresJs },
  { name: "pg", connect: onPg },
];

function onPostgresJs(url: string, options: ClientOptions = {}): DriverClient {
  const { max = 5, prepare = true, level } = options;
  const sent: string[] = [];
  const sql = connect(url, {
    max,
    prepare,
    backoff: () => 0,
    connect_timeout: 2,
    // Without timers of idle connections, so that several tests can share a client.
    max_lifetime: null,
    debug: (_, text) => void sent.push(text),
    ...level === undefined ? {} : { connection: { default_transaction_isolation: level } },
  });
  return {
    sent,
    store: (of) => postgresStore(sql, of) as Store,
    fence: (of) => postgresFence(sql, of) as Fence,
    run(text, params = [], tx = sql) {
      const query = (tx as postgres.Sql).unsafe(text, params as never[]);
      return query.execute();
    },
    begin: (work) => guardPostgres(sql).begin(work),
    savepoint: (tx, work) => (tx as postgres.TransactionSql).savepoint(work),
    end: () => sql.end({ timeout: 1 }),
  };
}

function onPg(url: string, options: ClientOptions = {}): DriverClient {
  const { max = 5, prepare = true, level } = options;
  const sent: string[] = [];
  const pool = connectPg(url, {
    max,
    connectionTimeoutMillis: 2_000,
    idleTimeoutMillis: 0,
    ...level === undefined
      ? {}
      : { options: `-c default_transaction_isolation=${level.replaceAll(" ", "\\ ")}` },
  });
  pool.on("connect", (client: pg.PoolClient) => noteStatements(client, sent));
  return {
    sent,
    store: (of) => pgStore(pool, { ...of, prepare }) as Store,
    fence: (of) => pgFence(pool, { ...of, prepare }) as Fence,
    run(text, params = [], tx = pool) {
      const answer = (tx as pg.Pool).query(text, params);
      const rows: Promise<Row[]> = answer.then(({ rows }: { rows: Row[] }) => rows);
      rows.catch(() => {});
      return rows;
    },
    begin: (work) => inTransaction(pool, work),
    async savepoint(tx, work) {
      const client = tx as pg.PoolClient;
      await client.query("savepoint part");
      try {
        await work(client);
      } catch (error) {
        await client.query("rollback to part");
        throw error;
      }
    },
    end: () => pool.end(),
  };
}

/** What users of `pg` write. */
async function inTransaction(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<unknown>,
): Promise<unknown> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const result = await work(client);
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback");
    throw error;
  } finally {
    client.release();
  }
}

/** Notes the texts that a client sends. */
function noteStatements(client: pg.PoolClient, sent: string[]): void {
  const { query } = client;
  client.query = (...args: unknown[]) => {
    const [first] = args;
    sent.push(typeof first === "string" ? first : (first as { text: string }).text);
    return Reflect.apply(query, client, args);
  };
}
