/**
 * `pg` (node-postgres) as a driver of the store and the fence in `adapters/sql/`.
 *
 * @module
 */
import { aFlag, checkOptions, withMethods } from "../../core/check_options.ts";
import type { LazyTransaction } from "../../core/ports/store.ts";
import type { SqlDriver, SqlFirstUse, SqlRows, SqlStatement } from "../sql/driver.ts";
import { mustBeTransaction } from "../sql/must_be_transaction.ts";
import { mustKeepStatements } from "../sql/pooler.ts";
import type { PgPool, PgPoolParts, PgTransactionOf } from "./client.ts";
import { Listener } from "./listener.ts";
import { NO_PREPARE, PoolClient } from "./pool_client.ts";
import { Session } from "./session.ts";
import { sessionOf, txClient } from "./tx_client.ts";

/** Options of {@linkcode pgDriver}. */
export interface PgDriverOptions {
  /**
   * Whether statements of the store and the fence are prepared. Set it to false behind a pooler in transaction mode that
   * loses prepared statements.
   *
   * @default true
   */
  readonly prepare?: boolean;
}

/** The listeners of pools. */
const listeners = new WeakMap<object, Listener>();

/**
 * The driver of a pool, for a store or a fence of `@atlast/bus/sql`. `pgStore` and `pgFence` make one by themselves.
 *
 * @throws {AtlastError} `invalid_option` for what is no pool.
 */
export function pgDriver<Pool extends PgPool>(
  pool: Pool,
  options: PgDriverOptions = {},
): SqlDriver<PgTransactionOf<Pool>> {
  type Tx = PgTransactionOf<Pool>;
  withMethods("connect", "on")("a pool of pg", pool, "use");
  checkOptions("make a driver with", options, { prepare: aFlag });
  const { prepare: prepares = true } = options;
  const parts: PgPoolParts = pool;
  let listener = listeners.get(pool);
  if (listener === undefined) {
    listeners.set(pool, listener = new Listener(parts));
    // An idle client that is lost is an error of its pool, which ends the process where nobody listens.
    pool.on("error", () => {});
  }
  const run = async (
    client: PoolClient,
    { text, params, timeoutMs, prepare }: SqlStatement,
  ): Promise<SqlRows> => {
    const { rows } = await client.run({ text, params, timeoutMs, prepare: prepare && prepares });
    return rows;
  };
  const transact = <Result>(session: Session, work: (tx: Tx) => Promise<Result>) => {
    const tx = txClient(parts, session) as Tx;
    return session.run(() => work(tx));
  };
  return {
    async query(statement) {
      const client = await PoolClient.take(pool, statement.timeoutMs);
      try {
        return await run(client, statement);
      } finally {
        await client.release();
      }
    },
    transaction({ readCommitted, timeoutMs }, work) {
      const begin = readCommitted ? "begin isolation level read committed" : "begin";
      return transact(new Session(pool, { begin, timeoutMs, first: null }), work);
    },
    transactionOnUse<Result>(
      { first, timeoutMs }: SqlFirstUse,
      work: (tx: Tx, lazy: LazyTransaction) => Promise<Result>,
    ) {
      const session = new Session(pool, { begin: "begin", timeoutMs, first });
      return transact(session, (tx) => work(tx, { close: () => session.close() }));
    },
    join(tx) {
      const session = sessionOf(tx);
      if (session === undefined) {
        mustBeTransaction(tx);
        return null;
      }
      return {
        client: tx as object,
        query: (statement) => session.use((client) => run(client, statement)),
        isOwn: true,
        isOfOne: true,
      };
    },
    listen: (channel, onNotify, onListen) => listener.listen(channel, onNotify, onListen),
    check: async (timeoutMs) => {
      if (!prepares) return;
      await mustKeepStatements({
        max: parts.options?.max ?? 1,
        remedy: NO_PREPARE,
        isPooled: () => isPooled(pool, timeoutMs),
        begin: () => beginProbe(pool, timeoutMs),
      });
    },
  };
}

/** A pooler reports another server process than at the start. */
async function isPooled(pool: PgPool, timeoutMs: number): Promise<boolean> {
  const client = await PoolClient.take(pool, timeoutMs);
  try {
    const { rows: [row] } = await client.run({ text: "select pg_backend_pid()", timeoutMs });
    return client.client.processID !== Number(row?.[0]);
  } finally {
    await client.release();
  }
}

async function beginProbe(pool: PgPool, timeoutMs: number) {
  const client = await PoolClient.take(pool, timeoutMs);
  const query = async (text: string, prepare = false) =>
    (await client.run({ text, timeoutMs, prepare })).rows;
  try {
    await query("begin");
  } catch (error) {
    await client.release();
    throw error;
  }
  return {
    query,
    async end(last: string) {
      try {
        if (last !== "") await query(last);
      } catch (error) {
        client.destroy();
        throw error;
      } finally {
        await client.release();
      }
    },
  };
}
