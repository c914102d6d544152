/**
 * The connection of a transaction that begins with its first statement. Until then it occupies none.
 *
 * @module
 */
import type { AtlastError } from "../../core/errors.ts";
import type { PostgresJsTransaction } from "./client.ts";
import { type DriverQuery, type DriverResult, NO_HANDLER, queryOf } from "./driver.ts";
import { Session, type TransactionSession } from "./session.ts";
import { TransactionEnd } from "../sql/ended_transaction.ts";
import type { FirstStatement } from "../sql/driver.ts";

/** How a transaction begins. */
interface LazyStart {
  /** How long a statement of the session itself may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Called at once when the connection is lost. */
  readonly onLost: () => void;
  /** What runs before the first statement of the work. */
  readonly first: FirstStatement;
}

/**
 * Statements that must, or may, come before any that reads: `set transaction isolation level …`. Comments before it
 * count as spaces.
 */
const SETTING = /^(?:\s|--[^\n]*\n|\/\*[^*]*\*\/)*set\s/i;

/** The connection of a transaction, opened by its first statement. */
export class LazySession implements TransactionSession {
  readonly #sql: PostgresJsTransaction;
  readonly #start: LazyStart;
  #givenUp: AbortController | null = null;
  #rejectLost: (error: unknown) => void = () => {};
  #opening: Promise<Session> | null = null;
  #locking: Promise<void> | null = null;
  /** The connection once the statements of the work can be sent. */
  #session: Session | null = null;
  /** The connection on which the first statement is under way. */
  #locksOn: Session | null = null;
  #isLocked = false;
  #failure: { readonly error: unknown } | null = null;
  /** Statements of the work that wait for the first one. */
  #waiting: DriverQuery[] = [];

  constructor(sql: PostgresJsTransaction, start: LazyStart) {
    this.#sql = sql;
    this.#start = start;
  }

  unlessLost<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#rejectLost = reject;
      work.then(resolve, reject);
    });
  }

  get loss(): AtlastError | null {
    return this.#session?.loss ?? null;
  }

  /** Whether a statement was sent, or waits for a connection. */
  get isUsed(): boolean {
    return this.#opening !== null;
  }

  send(query: DriverQuery): void {
    if (this.#failure !== null) return query.reject(this.#failure.error);
    const session = this.#session;
    const isSetting = !this.#isLocked && this.#waiting.length === 0 &&
      SETTING.test(query.strings[0] ?? "");
    if (session !== null && (this.#isLocked || isSetting)) return session.send(query);
    this.#waiting.push(query);
    if (this.#opening === null) {
      this.#opening = this.#open(isSetting);
      this.#opening.catch(() => {});
    } else if (session !== null && this.#locking === null) {
      this.#locking = this.#lock(session, session.run(this.#lockQuery()));
      this.#locking.catch(() => {});
    }
  }

  answered(query: DriverQuery): void {
    this.#session?.answered(query);
  }

  lose(cause: unknown): void {
    this.#session?.lose(cause);
  }

  async opened(): Promise<Session | null> {
    const session = await this.#opening;
    await this.#locking;
    return session;
  }

  async rollBack(): Promise<void> {
    if (this.#opening === null) return;
    this.#givenUp?.abort(new TransactionEnd().error());
    this.#locksOn?.cancel();
    try {
      await (await this.opened())?.rollBack();
    } catch {
      // It has not begun, or was rolled back already.
    }
  }

  async #open(isSetting: boolean): Promise<Session> {
    const { first, ...start } = this.#start;
    const lock = isSetting ? null : this.#lockQuery();
    first.changed("waiting");
    this.#givenUp = new AbortController();
    let session: Session;
    try {
      session = await Session.begin(this.#sql, {
        ...start,
        begin: "begin",
        ...lock === null ? {} : { behind: lock },
        signal: this.#givenUp.signal,
      });
    } catch (error) {
      throw this.#failed(error);
    }
    session.lost.catch((error) => this.#rejectLost(error));
    if (lock !== null) await this.#lock(session, session.answerOf(lock));
    else {
      this.#session = session;
      first.changed("begun");
      for (const query of this.#waiting.splice(0)) this.send(query);
    }
    return session;
  }

  /** The statement that must find a row before any statement of the work is sent. */
  #lockQuery(): DriverQuery {
    const { text, params } = this.#start.first.statement();
    const query = queryOf(this.#sql, text, params, { prepare: true, simple: false });
    query.handler = NO_HANDLER;
    query.catch(() => {});
    return query.values();
  }

  async #lock(session: Session, locking: Promise<DriverResult>): Promise<void> {
    const { first } = this.#start;
    this.#locksOn = session;
    try {
      const [row] = await locking;
      if (row === undefined) throw first.refused();
      first.locked(row[0] !== "read committed" && row[0] !== "read uncommitted");
    } catch (error) {
      const failed = this.#failed(session.loss ?? error);
      this.#session = null;
      await session.rollBack();
      throw failed;
    } finally {
      this.#locksOn = null;
    }
    this.#session = session;
    this.#isLocked = true;
    if (this.#locking === null) first.changed("begun");
    for (const query of this.#waiting.splice(0)) session.send(query);
  }

  #failed(error: unknown): unknown {
    this.#failure = { error };
    this.#start.first.changed("not begun");
    for (const query of this.#waiting.splice(0)) query.reject(error);
    return error;
  }
}
