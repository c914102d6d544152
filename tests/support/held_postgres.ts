/**
 * A postgres.js client whose check-backs stop in the middle of their transactions.
 *
 * @module
 */
import type postgres from "postgres";
import type {
  PostgresJs,
  PostgresJsQuery,
  PostgresJsTransaction,
} from "../../adapters/postgres/mod.ts";

/** Is called in the transaction of a check that has just written `aborted`, which then waits for it. */
export type InCheck = (id: string, tx: PostgresJsTransaction) => Promise<void>;

/** Wraps a client, for a fence that only asks. */
export function heldInChecks(sql: postgres.Sql, inCheck: InCheck): PostgresJs {
  return {
    unsafe: (text, params, options) => sql.unsafe(text, params as never, options),
    begin: (options, work) => sql.begin(options, (tx) => work(held(tx, inCheck))),
    listen: (channel, onNotify, onListen) => sql.listen(channel, onNotify, onListen),
    notify: (channel, payload) => sql.notify(channel, payload),
  };
}

function held(tx: postgres.TransactionSql, inCheck: InCheck): PostgresJsTransaction {
  const unsafe: PostgresJsTransaction["unsafe"] = (text, params, options) => {
    const query = tx.unsafe(text, params as never, options);
    return params?.[1] === "aborted"
      ? stopping(query as unknown as PostgresJsQuery, () => inCheck(params[0] as string, tx))
      : query as unknown as PostgresJsQuery;
  };
  // A fence tells a transaction of postgres.js by its being a function.
  return Object.assign(() => {}, { unsafe });
}

/** The rows of a query, once what comes after it is done too. */
function stopping(query: PostgresJsQuery, then: () => Promise<void>): PostgresJsQuery {
  const values = async () => {
    const rows = await query.values();
    await then();
    return rows;
  };
  return Object.assign(Promise.resolve(), { values }) as unknown as PostgresJsQuery;
}
