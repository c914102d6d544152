/**
 * What peers on node-postgres share.
 *
 * @module
 */
import { type Body, BUSINESS_NOTE, type OpenOptions } from "./subject.ts";
import { requirePeer } from "./registry.ts";

/** The part of a client of node-postgres that is used. */
export interface Client {
  query(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>;
  query(statement: { name: string; text: string; values: readonly unknown[] }): Promise<unknown>;
  on(event: "error", listener: () => void): void;
  release(): void;
}

/** The part of its pool that is used. */
export interface Pool {
  connect(): Promise<Client>;
  query(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>;
  on(event: "error", listener: () => void): void;
  on(event: "connect", listener: (client: Client) => void): void;
  end(): Promise<void>;
}

const CONNECTIONS = 10;

/** A pool with its connections open. */
export async function connected({ peers, url }: OpenOptions): Promise<Pool> {
  const pg = requirePeer<{ Pool: new (options: object) => Pool }>(peers, "pg");
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, idleTimeoutMillis: 0 });
  // Of a connection that breaks, the query that fails tells.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()));
  for (const client of clients) client.release();
  return pool;
}

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

/** A handler's effect, once however often it is handled: the mark and the effect in one transaction. */
export async function effectOnce(pool: Pool, id: string, body: Body): Promise<void> {
  await inTransaction(pool, async (client) => {
    const { rows } = await client.query(
      "insert into handled (id) values ($1) on conflict do nothing returning id",
      [id],
    );
    if (rows.length === 0) return;
    await client.query("insert into effect (n, note) values ($1, $2)", [body.n, BUSINESS_NOTE]);
  });
}
