/**
 * The interface through which statements reach the database, for every driver.
 *
 * @module
 */
import type { Run } from "./run.ts";
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
  /** Runs a statement by itself. */
  readonly run: Run;
  /** Runs `work` in a transaction of its own; `tx` refuses use once `work` has settled. */
  transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;
  /**
   * What stands for a transaction from the moment that it is used: that of a client which has one transaction
   * after another is bound to the one it is in.
   *
   * @throws {AtlastError} `no_transaction` for what is seen to be none, `unsupported` for what is no client.
   */
  joining(tx: Tx | SqlClient): Tx | SqlClient;
  /** Runs statements in a transaction: one of the driver's own, or any other client's. */
  runIn(tx: Tx | SqlClient): Run;
  /** What writes in a transaction need to be sure that they are in it; null where they are anyway. */
  proofIn(tx: Tx | SqlClient): Proof | null;
  /**
   * The statements of a transaction of {@linkcode Database.transaction} that nobody waits for; undefined
   * for any other, and where every statement is waited for. The transaction fails when one of them does.
   */
  ahead?(tx: Tx | SqlClient): SentAhead | undefined;
}

/** SQLSTATEs that say Atlast's tables are not there, or not as this version needs them. */
const NOT_MIGRATED: ReadonlySet<unknown> = new Set([
  "42P01", // undefined_table
  "3F000", // invalid_schema_name
  "42703", // undefined_column
]);

/**
 * Says what to do when the tables are missing; other errors of the driver pass as they are.
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

/** The SQLSTATE of an error. An ORM wraps the driver's error in its own. */
export function sqlState(error: unknown): unknown {
  if (typeof error !== "object" || error === null) return undefined;
  return propertyOf(propertyOf(error, "cause"), "code") ?? propertyOf(error, "code");
}

/** Runs statements on a client in the shape of node-postgres. */
export function runOnClient(client: SqlClient): Run {
  return async (text, params) => {
    const { rows } = await client.query(text, [...params]);
    return rows.map((row) => Array.isArray(row) ? row : Object.values(row as object));
  };
}

/**
 * Limits how long a statement of a client may take that cannot be cancelled.
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
 * The transaction a caller gave, as a client. One of node-postgres is bound to the transaction that it is in now,
 * or is about to begin.
 *
 * @throws {AtlastError} `no_transaction` for a pool or a root client, `unsupported` for what is no client.
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
