/**
 * A driver, as the store and the fence see it.
 *
 * @module
 */
import type { SqlClient } from "../../core/ports/platform.ts";
import type { LazyTransaction } from "../../core/ports/store.ts";
import { type Database, limited, runOnClient, sqlClientOf } from "./database.ts";
import type { FirstStatement, SqlDriver, SqlStatement } from "./driver.ts";
import { atReadCommitted } from "./isolation.ts";
import { PgTransaction } from "./pg_transaction.ts";
import { SentAhead } from "./pipelined.ts";
import type { Run } from "./run.ts";
import { Proof, Proofs } from "./transaction_proof.ts";
import { unwrapped } from "./wrapped_clients.ts";

/** How statements are run. */
type StatementSettings = Pick<SqlStatement, "timeoutMs" | "prepare">;

/** The database behind a driver. */
export function databaseOf<Tx>(driver: SqlDriver<Tx>, settings: StatementSettings): Database<Tx> {
  const { timeoutMs } = settings;
  const aheads = new WeakMap<object, SentAhead>();
  const proofs = new Proofs();
  const joined = (tx: unknown) =>
    driver.join(typeof tx === "object" && tx !== null ? unwrapped(tx) : tx);
  const runOf = ({ query }: Pick<SqlDriver, "query">): Run => (text, params) =>
    query({ text, params, ...settings });
  const joining = (tx: Tx | SqlClient): Tx | SqlClient =>
    joined(tx) === null ? sqlClientOf(tx) : tx;
  const runIn = (tx: Tx | SqlClient): Run => {
    const own = joined(tx);
    return own === null ? limited(runOnClient(sqlClientOf(tx)), timeoutMs) : runOf(own);
  };
  /** Runs a transaction in which some statements of the store are not awaited. */
  const sendingAhead = async <Result, Rest extends unknown[]>(
    work: (tx: Tx, ...rest: Rest) => Promise<Result>,
    run: (working: (tx: Tx, ...rest: Rest) => Promise<Result>) => Promise<Result>,
  ): Promise<Result> => {
    const ahead = new SentAhead();
    try {
      const result = await run(async (tx, ...rest) => {
        const client = tx as Tx & object;
        aheads.set(client, ahead);
        try {
          return await work(tx, ...rest);
        } finally {
          // Later uses wait, and reject because the transaction has ended.
          aheads.delete(client);
        }
      });
      await ahead.answered();
      return result;
    } catch (error) {
      throw await ahead.reason(error);
    }
  };
  const transaction = <Result>(work: (tx: Tx) => Promise<Result>, isOwn = false) => {
    const start = { readCommitted: isOwn, timeoutMs };
    if (driver.pipelines !== true) return driver.transaction(start, work);
    return sendingAhead(work, (working) => driver.transaction<Result>(start, working));
  };
  const onUse = driver.transactionOnUse?.bind(driver);
  return {
    run: atReadCommitted(
      driver,
      timeoutMs,
      runOf({ query: (statement) => driver.query(statement) }),
      (text, params) =>
        driver.transaction(
          { readCommitted: true, timeoutMs },
          (tx) => runIn(tx)(text, params),
        ),
    ),
    transaction,
    ...onUse === undefined ? {} : {
      transactionOnUse<Result>(
        first: FirstStatement,
        work: (tx: Tx, lazy: LazyTransaction) => Promise<Result>,
      ): Promise<Result> {
        const start = { first, timeoutMs };
        if (driver.pipelines !== true) return onUse(start, work);
        return sendingAhead(work, (working) => onUse<Result>(start, working));
      },
    },
    joining,
    runIn,
    proofIn(tx) {
      if (tx instanceof PgTransaction) return null;
      const own = joined(tx);
      if (own === null) return proofs.ofClient(tx as SqlClient, runIn);
      if (own.isOwn) return null;
      return proofs.of(own.client, () => new Proof(runOf(own), own.isOfOne));
    },
    ahead: (tx) => aheads.get(tx as object),
  };
}
