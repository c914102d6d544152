/**
 * The interface through which statements reach the database, for every driver.
 *
 * @module
 */
import type { LazyTransaction } from "../../core/ports/store.ts";
import type { FirstStatement } from "./driver.ts";
import type { Run } from "./run.ts";
import { described } from "../../core/check_option.ts";
import { AtlastError } from "../../core/errors.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import { propertyOf } from "../../core/user_code/thrown.ts";
import { mustBeTransaction } from "./must_be_transaction.ts";
import { PgTransaction } from "./pg_transaction.ts";
import type { Proof } from "./transaction_proof.ts";
import type { SentAhead } from "./pipelined.ts";
import { unwrapped } from "./wrapped_clients.ts";
import { within } from "./statement_timeout.ts";

/** A database as the store sees it. */
export interface Database<Tx> {
  /** Runs a statement outside a transaction, at read committed. */
  readonly run: Run;
  /**
   * Runs `work` in a transaction of its own; `tx` refuses use once `work` has settled.
   *
   * @param isOwn Whether the work is the store's own, and runs at read committed; otherwise it runs at the
   * client's default level.
   */
  transaction<Result>(work: (tx: Tx) => Promise<Result>, isOwn?: boolean): Promise<Result>;
  /**
   * Runs `work` in a transaction that begins with the first statement of the work; `first` runs before that.
   * Undefined for a driver that begins a transaction at once.
   */
  transactionOnUse?<Result>(
    first: FirstStatement,
    work: (tx: Tx, lazy: LazyTransaction) => Promise<Result>,
  ): Promise<Result>;
  /**
   * Identifies a transaction from its first use. A client that runs one transaction after another is bound to
   * its current one.
   *
   * @throws {AtlastError} `no_transaction` for a client that is recognised as outside a transaction,
   * `unsupported` for a value that is not a client.
   */
  joining(tx: Tx | SqlClient): Tx | SqlClient;
  /** Runs statements in a transaction: one of the driver's own, or any other client's. */
  runIn(tx: Tx | SqlClient): Run;
  /** The proof that writes run in the transaction; null if they always do. */
  proofIn(tx: Tx | SqlClient): Proof | null;
  /**
   * The statements of a transaction of {@linkcode Database.transaction} that are not awaited; undefined for
   * any other transaction, and for a driver that awaits every statement. The transaction fails when one of
   * them does.
   */
  ahead?(tx: Tx | SqlClient): SentAhead | undefined;
}

/** SQLSTATEs of missing or outdated tables of Atlast. */
const NOT_MIGRATED: ReadonlySet<unknown> = new Set([
  "42P01", // undefined_table
  "3F000", // invalid_schema_name
  "42703", // undefined_column
]);

/**
 * Translates the error of missing tables to one that says what to do. Other errors are returned unchanged.
 *
 * @param of Whose tables they are.
 */
export function explained(run: Run, schema: string, of: "store" | "fence" = "store"): Run {
  return async (text, params) => {
    try {
      return await run(text, params);
    } catch (error) {
      if (!NOT_MIGRATED.has(sqlState(error))) throw error;
      throw new AtlastError(
        "not_migrated",
        `Cannot use schema "${schema}": it does not have the tables this version needs; call ` +
          `ready() on the ${of} first, or run ` +
          `${of === "store" ? "migrationSql" : "fenceMigrationSql"}({ schema: "${schema}" })`,
        { cause: error },
      );
    }
  };
}

/** How many errors around that of the driver are looked into. */
const MAX_WRAPPED = 8;

/** The SQLSTATE of an error. An ORM, or the code that uses it, wraps the driver's error in its own. */
export function sqlState(error: unknown): unknown {
  let state: unknown;
  let inner = error;
  for (let depth = 0; depth < MAX_WRAPPED; depth++) {
    if (typeof inner !== "object" || inner === null) break;
    state = propertyOf(inner, "code") ?? state;
    inner = propertyOf(inner, "cause");
  }
  return state;
}

/** Runs statements on a client in the shape of node-postgres. */
export function runOnClient(client: SqlClient): Run {
  return async (text, params) => {
    const result: unknown = await client.query(text, [...params]);
    const rows = propertyOf(result, "rows");
    if (!Array.isArray(rows)) {
      throw new AtlastError(
        "unsupported",
        `Cannot use what query of this transaction returned: got ${
          result === null || typeof result !== "object" ? described(result) : "a result"
        } without rows, want { rows }, as node-postgres returns; wrap a client that returns something else, such ` +
          "as an EntityManager of TypeORM: { query: async (text, params) => ({ rows: await em.query(text, params) }) }",
      );
    }
    return rows.map((row) => Array.isArray(row) ? row : Object.values(row as object));
  };
}

/**
 * Limits the time of a client's statement that cannot be cancelled.
 *
 * @throws {AtlastError} `outcome_unknown` when the time is up.
 */
export function limited(run: Run, timeoutMs: number): Run {
  return (text, params) =>
    within(timeoutMs, "run a statement", run(text, params), "outcome_unknown");
}

/** Whether something is a client in the shape of node-postgres. */
function isSqlClient(value: unknown): value is SqlClient {
  return typeof value === "object" && value !== null &&
    typeof (value as { query?: unknown }).query === "function";
}

/**
 * The caller's transaction, as a client. A client of node-postgres is bound to the transaction that it is in
 * now, or is about to begin.
 *
 * @throws {AtlastError} `no_transaction` for a pool or a root client, `unsupported` for a value that is not a
 * client.
 */
export function sqlClientOf(tx: unknown): SqlClient {
  mustBeTransaction(typeof tx === "object" && tx !== null ? unwrapped(tx) : tx);
  if (isSqlClient(tx)) return PgTransaction.of(tx) ?? tx;
  throw new AtlastError(
    "unsupported",
    `Cannot join a transaction that is of type ${typeof tx}: want one of this store's own, or an ` +
      `object with query(text, params)`,
  );
}
