/**
 * Adapts transactions of other clients to the form that `publish` takes as `tx`.
 *
 * The store's own transactions do not need this, nor do clients that already have `query(text, params)`: a
 * node-postgres client and a PGlite transaction.
 *
 * @module
 */
import { wrapping } from "../sql/wrapped_clients.ts";
import { AtlastError } from "../../core/errors.ts";
import { type SqlClient, TRANSACTION } from "../../core/ports/platform.ts";
import type { PostgresJsTransaction } from "./client.ts";

/** Wraps a transaction of postgres.js, for code that takes any client. */
export function fromPostgresJs(tx: PostgresJsTransaction): SqlClient {
  const client: SqlClient = {
    query: async (text, params = []) => ({
      rows: [...await tx.unsafe(text, params, { prepare: true })],
    }),
  };
  // A publish with it belongs to the transaction if that is one of a bus.
  if (isOwn(tx)) Object.assign(client, { [TRANSACTION]: tx[TRANSACTION] ?? tx });
  return wrapping(tx, client);
}

/** Whether something is a transaction of ours, or a savepoint in it: it refuses use once it has ended. */
export function isOwn(tx: object): tx is { readonly [TRANSACTION]: object | undefined } {
  return TRANSACTION in tx;
}

/** The part of a transaction of Drizzle, on any of its Postgres drivers, that is used. */
export interface DrizzleTransaction<Sql> {
  /** Runs a statement. */
  execute(statement: Sql): PromiseLike<unknown>;
}

/**
 * Wraps a transaction of Drizzle.
 *
 * @param sql The `sql` tag of `drizzle-orm`.
 * @example
 * ```ts ignore
 * import { sql } from "drizzle-orm";
 * await db.transaction(async (tx) => {
 *   await tx.insert(orders).values(order);
 *   await bus.publish(OrderPlaced, body, { tx: fromDrizzle(tx, sql) });
 * });
 * ```
 * @throws {AtlastError} `invalid_option` when `sql` is not that tag.
 */
export function fromDrizzle<Sql>(
  tx: DrizzleTransaction<Sql>,
  sql: (strings: TemplateStringsArray, ...params: unknown[]) => Sql,
): SqlClient {
  if (typeof sql !== "function") {
    throw unusable("Drizzle", "sql", "the sql tag of drizzle-orm", sql);
  }
  return wrapping(tx, {
    query: async (text, params = []) => {
      // "a $1 b $2" split into the parts of a template; the odd ones are the numbers of parameters.
      const parts = text.split(/\$(\d+)/);
      const strings = parts.filter((_, i) => i % 2 === 0);
      const values = parts.filter((_, i) => i % 2 === 1).map((nth) => params[Number(nth) - 1]);
      const result = await tx.execute(sql(Object.assign(strings, { raw: strings }), ...values));
      return { rows: Array.isArray(result) ? result : (result as { rows: unknown[] }).rows };
    },
  });
}

/** The part of a transaction of Kysely that is used. */
export interface KyselyTransaction<Query> {
  /** Runs a compiled query. */
  executeQuery(query: Query): Promise<{ readonly rows: readonly unknown[] }>;
}

/**
 * Wraps a transaction of Kysely.
 *
 * @param compiled The `CompiledQuery` of `kysely`.
 * @example
 * ```ts ignore
 * import { CompiledQuery } from "kysely";
 * await db.transaction().execute(async (tx) => {
 *   await tx.insertInto("orders").values(order).execute();
 *   await bus.publish(OrderPlaced, body, { tx: fromKysely(tx, CompiledQuery) });
 * });
 * ```
 * @throws {AtlastError} `invalid_option` when `compiled` is not that class.
 */
export function fromKysely<Query>(
  tx: KyselyTransaction<Query>,
  compiled: { raw(sql: string, parameters?: unknown[]): Query },
): SqlClient {
  if (typeof compiled?.raw !== "function") {
    throw unusable("Kysely", "compiled", "the CompiledQuery of kysely", compiled);
  }
  return wrapping(tx, { query: (text, params) => tx.executeQuery(compiled.raw(text, params)) });
}

function unusable(of: string, argument: string, wanted: string, given: unknown): AtlastError {
  return new AtlastError(
    "invalid_option",
    `Cannot wrap a transaction of ${of}: ${argument} must be ${wanted}, got ${typeof given}`,
  );
}
