/**
 * A transaction on a client of a pool, which begins at once or with the first statement of its work.
 *
 * @module
 */
import type { AtlastError } from "../../core/errors.ts";
import type { FirstStatement } from "../sql/driver.ts";
import { TransactionEnd } from "../sql/ended_transaction.ts";
import { within } from "../sql/statement_timeout.ts";
import {
  CANCEL_GRACE_MS,
  isUnknown,
  lostTransaction,
  rolledBack,
  unknownCommit,
} from "../sql/statement_errors.ts";
import type { PgClient, PgPool } from "./client.ts";
import { endedByWork, isOfEnd, isOfServer, PoolClient } from "./pool_client.ts";
import { Turns } from "./turns.ts";

/** How a transaction is run. */
interface SessionStart {
  /** The statement that begins it. */
  readonly begin: string;
  /** How long its beginning and its end may take, in milliseconds. */
  readonly timeoutMs: number;
  /** What runs before the first statement of the work; null for a transaction that begins at once. */
  readonly first: FirstStatement | null;
}

/** What a statement of the work does beside running. */
export interface StatementKind {
  /** Whether it sets something, such as the isolation level, and comes before any that reads. */
  readonly isSetting: boolean;
  /** Whether it rolls back to a savepoint, which takes back failures since. */
  readonly rollsBackTo: boolean;
}

/** SQLSTATE `in_failed_sql_transaction`: an earlier statement has failed. */
const ABORTED = "25P02";

/** A transaction. */
export class Session {
  readonly #pool: PgPool;
  readonly #start: SessionStart;
  readonly #end = new TransactionEnd();
  readonly #givenUp = new AbortController();
  /** Statements of the work, one after another unless the client pipelines. */
  readonly #turns = new Turns();
  /** Rejects when the connection is lost. */
  readonly #lost: Promise<never>;
  #rejectLost: (error: unknown) => void = () => {};
  #loss: AtlastError | null = null;
  #opening: Promise<PoolClient> | null = null;
  #locking: Promise<void> | null = null;
  #opened: PoolClient | null = null;
  /** The first statement of the work that failed, and whose failure was not taken back. */
  #failure: { readonly error: unknown } | null = null;
  /** Whether the work has sent queries of its own kind, such as cursors, whose end is not seen here. */
  hasQueries = false;
  /** Called with the client when the transaction has begun. */
  onOpened: (client: PgClient) => void = () => {};
  /** Called before the client goes back to its pool. */
  onReleased: () => void = () => {};

  constructor(pool: PgPool, start: SessionStart) {
    this.#pool = pool;
    this.#start = start;
    this.#lost = new Promise((_, reject) => this.#rejectLost = reject);
    this.#lost.catch(() => {});
  }

  /** The client, once the transaction has begun. */
  get client(): PgClient | null {
    return this.#opened?.client ?? null;
  }

  /** Why a use of the transaction is refused now; null while it is not. */
  get refusal(): AtlastError | null {
    return this.#end.reached ? this.#loss ?? this.#end.error() : null;
  }

  /** Ends the transaction if it was never used. */
  close(): boolean {
    if (this.#opening !== null) return false;
    this.#end.reach();
    return true;
  }

  /** Runs work, and commits or rolls back. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    let result: Result;
    try {
      if (this.#start.first === null) await this.#open(true);
      result = await Promise.race([callWork(work), this.#lost]);
      this.#end.reach();
      await within(this.#start.timeoutMs, "run what a transaction did not await", this.#settled());
      if (this.#loss !== null) throw this.#loss;
      if (this.#failure !== null) throw this.#failure.error;
    } catch (error) {
      this.#end.reach();
      const loss = this.#loss;
      await this.#rollBack();
      throw loss ?? this.reason(error);
    }
    if (this.#opened !== null) await this.#commit(this.#opened);
    return result;
  }

  /**
   * Runs a statement of the work. Rejects without sending it when the transaction has ended.
   *
   * @param send Sends it on the client, and resolves with its answer.
   */
  use<Result>(
    send: (opened: PoolClient) => Promise<Result>,
    kind: StatementKind = { isSetting: false, rollsBackTo: false },
  ): Promise<Result> {
    const { refusal } = this;
    if (refusal !== null) return Promise.reject(refusal);
    const used = this.#turns.take(async () => {
      const opened = await this.#open(kind.isSetting);
      return {
        answer: this.#send(opened, send, kind),
        isPipelined: opened.client.pipeline === true,
      };
    });
    used.catch(() => {});
    return used;
  }

  /** The earlier failure that made the server refuse later statements, if `error` is such a refusal. */
  reason(error: unknown): unknown {
    const { code } = (error ?? {}) as { code?: unknown };
    return code === ABORTED && this.#failure !== null ? this.#failure.error : error;
  }

  async #send<Result>(
    opened: PoolClient,
    send: (opened: PoolClient) => Promise<Result>,
    { rollsBackTo }: StatementKind,
  ): Promise<Result> {
    if (this.#loss !== null) throw this.#loss;
    try {
      if (opened.hasLeft) throw endedByWork();
      const result = await send(opened);
      if (rollsBackTo) this.#failure = null;
      return result;
    } catch (error) {
      if (isUnknown(error) || isOfEnd(error)) {
        opened.destroy();
        this.#lose(error);
      }
      if (this.#loss !== null) throw this.#loss;
      this.#failure ??= { error };
      throw error;
    }
  }

  /** Begins the transaction, and runs its first statement unless one of the work must come before. */
  async #open(isSetting: boolean): Promise<PoolClient> {
    this.#opening ??= this.#begin();
    const opened = await this.#opening;
    const { first } = this.#start;
    if (first === null) return opened;
    if (!isSetting) await (this.#locking ??= this.#lock(opened, first));
    else if (this.#locking === null) first.changed("begun");
    return opened;
  }

  async #begin(): Promise<PoolClient> {
    const { begin, timeoutMs, first } = this.#start;
    first?.changed("waiting");
    try {
      const opened = await PoolClient.take(this.#pool, timeoutMs, this.#givenUp.signal);
      this.#opened = opened;
      opened.onLost = (error) => this.#lose(error);
      await opened.run({ text: begin, timeoutMs });
      opened.mustBeWithin = true;
      this.onOpened(opened.client);
      return opened;
    } catch (error) {
      throw this.#failedToBegin(isUnknown(error) ? lostTransaction(error) : error);
    }
  }

  async #lock(opened: PoolClient, first: FirstStatement): Promise<void> {
    const { timeoutMs } = this.#start;
    try {
      const { rows: [row] } = await opened.run({ ...first.statement(), prepare: true, timeoutMs });
      if (row === undefined) throw first.refused();
      first.locked(row[0] !== "read committed" && row[0] !== "read uncommitted");
    } catch (error) {
      if (isUnknown(error)) this.#lose(error);
      throw this.#failedToBegin(this.#loss ?? error);
    }
    first.changed("begun");
  }

  #failedToBegin(error: unknown): unknown {
    this.#failure ??= { error };
    this.#start.first?.changed("not begun");
    return error;
  }

  #lose(cause: unknown): void {
    if (this.#loss !== null) return;
    this.#loss = lostTransaction(cause);
    this.#end.reach();
    this.#rejectLost(this.#loss);
  }

  /** Resolves when no statement of the work is under way. */
  async #settled(): Promise<void> {
    await this.#turns.settled();
    if (this.#opening !== null) await this.#opening;
    await this.#locking;
  }

  async #commit(opened: PoolClient): Promise<void> {
    opened.onLost = () => {};
    try {
      const { timeoutMs } = this.#start;
      const { command } = await opened.run({ text: "commit", timeoutMs }).catch((error) => {
        if (isUnknown(error)) throw unknownCommit(error);
        if (isOfServer(error) || opened.hasLeft) throw error;
        // It was not sent, so the transaction may still be open.
        opened.destroy();
        throw lostTransaction(error);
      });
      if (command !== "COMMIT") throw this.#failure?.error ?? rolledBack("COMMIT", command);
    } finally {
      await this.#release(opened);
    }
  }

  /** Rolls back, and ends the statements under way. Never rejects. */
  async #rollBack(): Promise<void> {
    if (this.#opening === null) return;
    this.#givenUp.abort(this.#end.error());
    this.#turns.drop(this.#loss ?? this.#end.error());
    if (this.#opened === null) await this.#opening.catch(() => {});
    const opened = this.#opened;
    if (opened === null) return;
    try {
      if (!opened.isLost) await this.#endTransaction(opened);
    } catch {
      // It may still be in the transaction, and nobody else may get it. The server rolls back.
      opened.destroy();
    }
    await this.#release(opened);
  }

  async #release(opened: PoolClient): Promise<void> {
    this.onReleased();
    await opened.release();
  }

  async #endTransaction(opened: PoolClient): Promise<void> {
    const settled = Promise.allSettled([this.#opening, this.#locking, this.#turns.settled()]);
    if (!await isSoon(settled)) {
      const cancelled = Promise.all([settled, opened.cancel()]);
      await within(CANCEL_GRACE_MS, "cancel a statement", cancelled);
    }
    if (opened.hasLeft) return;
    const { timeoutMs } = this.#start;
    const rolledBack = opened.run({ text: "rollback", timeoutMs });
    // A cursor that was left open keeps it from being sent.
    await (this.hasQueries ? within(CANCEL_GRACE_MS, "roll back", rolledBack) : rolledBack);
  }
}

/** A function that throws rejects. */
async function callWork<Result>(work: () => Promise<Result>): Promise<Result> {
  return await work();
}

/** Whether work is over, or as good as over. */
function isSoon(work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    work.then(() => resolve(true));
    setTimeout(() => resolve(false), 0);
  });
}
