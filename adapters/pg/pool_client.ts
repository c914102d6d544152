/**
 * A client that is taken out of a pool, whose statements have a time limit.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { startDeadline } from "../sql/deadlines.ts";
import type { SqlStatement } from "../sql/driver.ts";
import {
  CANCEL_GRACE_MS,
  lostAnswer,
  lostStatement,
  notSent,
  unanswered,
} from "../sql/statement_errors.ts";
import type { PgClient, PgPool, PgPoolParts, PgQuery, PgResult } from "./client.ts";
import { nameOf } from "./statement_names.ts";
import { typeParsers } from "./type_parsers.ts";

/** What a user of `pg` does where prepared statements are lost. */
export const NO_PREPARE = "set `prepare: false` on the store and the fence";

/** What a statement needs, without what has a default. */
interface Statement extends Pick<SqlStatement, "text" | "timeoutMs"> {
  readonly params?: SqlStatement["params"];
  readonly prepare?: boolean;
}

/** A client out of a pool, until it is given back. */
export class PoolClient {
  readonly client: PgClient;
  /** Called once, at once, when the connection is lost. */
  onLost: (error: unknown) => void = () => {};
  /** Set while the client must be in a transaction: outside of it nothing is sent. */
  mustBeWithin = false;
  readonly #pool: PgPoolParts;
  #loss: { readonly error: unknown } | null = null;
  #cancelling: Promise<void> | null = null;
  /** Whether the client cannot be used again, though its connection works. */
  #isSpoilt = false;
  readonly #onError = (error?: unknown) => {
    if (this.#loss !== null) return;
    this.#loss = { error };
    this.onLost(error);
  };

  private constructor(pool: PgPoolParts, client: PgClient) {
    this.#pool = pool;
    this.client = client;
    client.on("error", this.#onError);
    client.on("end", this.#onError);
  }

  /**
   * Takes a client.
   *
   * @throws {AtlastError} `timeout` when none is free in time; the reason of `signal`, or the error of connecting.
   */
  static async take(pool: PgPool, timeoutMs: number, signal?: AbortSignal): Promise<PoolClient> {
    const connecting: Promise<PgClient> = pool.connect();
    let give = (client: PgClient) => client;
    let giveUp: (error: unknown) => void = () => {};
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = (error) => {
        give = (client) => {
          client.release();
          return client;
        };
        reject(error);
      };
    });
    const stop = startDeadline(timeoutMs, () => giveUp(notSent(timeoutMs)));
    const onAbort = () => giveUp(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const client = await Promise.race([connecting.then((client) => give(client)), givenUp]);
      return new PoolClient(pool, client);
    } finally {
      stop();
      signal?.removeEventListener("abort", onAbort);
      givenUp.catch(() => {});
    }
  }

  /** Whether the connection is lost. */
  get isLost(): boolean {
    return this.#loss !== null;
  }

  /** Whether the transaction that it must be in was ended by a statement of the work. */
  get hasLeft(): boolean {
    return this.mustBeWithin && this.client.getTransactionStatus?.() === "I";
  }

  /**
   * Runs one statement.
   *
   * @throws The error of the server.
   * @throws {AtlastError} `outcome_unknown`, `timeout` or `prepared_statement_lost`; see {@linkcode SqlDriver.query}.
   */
  run(statement: Statement): Promise<PgResult> {
    const { text, params = [], timeoutMs, prepare = false } = statement;
    return new Promise((resolve, reject) => {
      let state: "waits" | "sent" | "withdrawn" = "waits";
      let isSettled = false;
      const settle = (end: () => void) => {
        if (isSettled) return;
        isSettled = true;
        stop();
        end();
      };
      const failed = (error: unknown): unknown => {
        if (isOfServer(error)) {
          const lost = lostStatement(error, NO_PREPARE);
          this.#isSpoilt ||= lost !== null;
          return lost ?? error;
        }
        if (state !== "sent") return error;
        // The driver may have given up waiting, with the answer still to come.
        this.destroy();
        return lostAnswer(error);
      };
      const query = this.#queryOf(text, [...params], prepare, (error, result) =>
        settle(() => {
          if (error === null || error === undefined) resolve(result);
          else reject(failed(error));
        }));
      const { submit } = query;
      query.submit = (connection) => {
        if (state === "withdrawn") return notSent(timeoutMs);
        if (this.hasLeft) return endedByWork();
        state = "sent";
        return submit.call(query, connection);
      };
      let stop = startDeadline(timeoutMs, () => {
        if (state === "waits") {
          state = "withdrawn";
          return settle(() => reject(notSent(timeoutMs)));
        }
        this.cancel().catch(() => {});
        stop = startDeadline(CANCEL_GRACE_MS, () =>
          settle(() => {
            this.destroy();
            reject(unanswered(timeoutMs));
          }));
      });
      this.client.query(query);
    });
  }

  /**
   * Asks the server to cancel what it runs on the connection. Resolves when the request has ended; rejects when it
   * cannot be sent.
   */
  cancel(): Promise<void> {
    if (this.#cancelling === null) {
      this.#cancelling = requestCancel(this.#pool, this.client);
      this.#cancelling.catch(() => {});
    }
    return this.#cancelling;
  }

  /** Closes the connection at once: a server that does not answer is not waited for. */
  destroy(): void {
    this.#isSpoilt = true;
    this.client.connection.stream.destroy();
  }

  /** Gives the client back to its pool, which closes it if it cannot be used again. */
  async release(): Promise<void> {
    // A request to cancel ends whatever runs on the connection when it arrives.
    if (this.#cancelling !== null && !await this.#hasEnded(this.#cancelling)) this.destroy();
    this.client.release(this.#isSpoilt || this.isLost);
    this.client.removeListener("error", this.#onError);
    this.client.removeListener("end", this.#onError);
  }

  #hasEnded(cancelling: Promise<void>): Promise<boolean> {
    return new Promise((resolve) => {
      const stop = startDeadline(CANCEL_GRACE_MS, () => resolve(false));
      cancelling.then(() => resolve(true), () => resolve(false)).finally(stop);
    });
  }

  #queryOf(
    text: string,
    values: unknown[],
    prepare: boolean,
    done: (error: unknown, result: PgResult) => void,
  ): PgQuery {
    const { Query } = this.client.constructor;
    const query = new Query(
      {
        text,
        ...values.length === 0 ? {} : { values },
        ...prepare ? { name: nameOf(text) } : {},
        rowMode: "array",
        types: typeParsers,
      },
      undefined,
      done,
    );
    // The store reads texts, also where the client asks for binary values.
    return Object.defineProperty(query, "binary", { get: () => false, set: () => {} });
  }
}

/** The error of a transaction that its work has ended by a statement. */
export function endedByWork(): AtlastError {
  return new AtlastError(
    "transaction_ended",
    "Cannot go on with a transaction that its work has ended: want no COMMIT or ROLLBACK in it, but a rejection",
  );
}

/** Whether an error is an answer of the server, after which the connection goes on. */
export function isOfServer(error: unknown): boolean {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown };
  return typeof code === "string" && code.length === 5 && typeof severity === "string" &&
    !isOfEnd(error);
}

/** Whether an error is the last answer of the server on its connection. */
export function isOfEnd(error: unknown): boolean {
  const { severity } = (error ?? {}) as { severity?: unknown };
  return severity === "FATAL" || severity === "PANIC";
}

/** A request to cancel goes over a connection of its own. */
function requestCancel({ Client, options }: PgPoolParts, client: PgClient): Promise<void> {
  return new Promise((resolve, reject) => {
    const canceller = Client === undefined ? null : new Client(options);
    if (typeof canceller?.cancel !== "function") {
      return reject(new Error("This driver cannot cancel a statement"));
    }
    canceller.connection.on("error", reject as () => void);
    canceller.connection.on("end", resolve);
    const query = {};
    const { processID, secretKey } = client;
    canceller.cancel({ processID, secretKey, activeQuery: query }, query);
  });
}
