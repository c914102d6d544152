/**
 * The pool and the transactions of the peers that use node-postgres.
 *
 * @module
 */
import { BUSINESS_NOTE } from "../fixtures/tables.ts";
import type { MessageBody } from "./message_body.ts";
import type { OpenOptions } from "./subject.ts";
import { requirePeer } from "../peers/packages.ts";

/** The part of a node-postgres client that subjects use. */
export interface Client {
  query(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>;
  query(statement: { name: string; text: string; values: readonly unknown[] }): Promise<unknown>;
  on(event: "error", listener: () => void): void;
  release(): void;
}

/** The part of its pool that subjects use. */
export interface Pool {
  connect(): Promise<Client>;
  query(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>;
  on(event: "error", listener: () => void): void;
  on(event: "connect", listener: (client: Client) => void): void;
  end(): Promise<void>;
}

const CONNECTIONS = 10;

/** Opens a pool with all its connections. */
export async function openPool({ peers, url }: OpenOptions): Promise<Pool> {
  const pg = requirePeer<{ Pool: new (options: object) => Pool }>(peers, "pg");
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, idleTimeoutMillis: 0 });
  // The query that fails reports a broken connection.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()));
  for (const client of clients) client.release();
  return pool;
}

/** Runs `work` in a transaction. */
export async function inTransaction(
  pool: Pool,
  work: (client: Client) => Promise<unknown>,
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    await work(client);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  } finally {
    client.release();
  }
}

/**
 * Writes a handler's row exactly once, however often the message is handled: the row and the mark that the
 * message was handled are written in one transaction.
 */
export async function writeRowOnce(pool: Pool, id: string, body: MessageBody): Promise<void> {
  await inTransaction(pool, async (client) => {
    const { rows } = await client.query(
      "insert into handled (id) values ($1) on conflict do nothing returning id",
      [id],
    );
    if (rows.length === 0) return;
    await client.query("insert into effect (n, note) values ($1, $2)", [body.n, BUSINESS_NOTE]);
  });
}

/**
 * Writes the rows of a batch exactly once, in one transaction. The marks are one statement; each handler writes its
 * own row, as a handler that is called for one message does.
 */
export async function writeRowsOnce(
  pool: Pool,
  jobs: readonly { readonly id: string; readonly data: MessageBody }[],
): Promise<void> {
  await inTransaction(pool, async (client) => {
    const { rows } = await client.query(
      "insert into handled (id) select unnest($1::text[]) on conflict do nothing returning id",
      [jobs.map(({ id }) => id)],
    );
    const added = new Set(rows.map((row) => (row as { id: string }).id));
    await Promise.all(
      jobs.filter(({ id }) => added.has(id)).map(({ data }) =>
        client.query("insert into effect (n, note) values ($1, $2)", [data.n, BUSINESS_NOTE])
      ),
    );
  });
}
