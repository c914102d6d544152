/**
 * Transactions of node-postgres, whose client is the same object before, within and after them.
 *
 * The client knows from the server's last answer whether it is in a transaction, and it asks each query to send
 * itself once earlier ones are answered. At that moment the query checks that its transaction is still open,
 * without a round trip. A query that was not awaited and comes after the ROLLBACK is not sent.
 *
 * @module
 */
import { type SqlClient, TRANSACTION } from "../../core/ports/platform.ts";
import { noTransaction } from "./must_be_transaction.ts";

/** The part of a client of node-postgres (8.20 or later) that is used. */
interface PgClient {
  /** `I` outside of a transaction, `T` within one, `E` within one that has failed; null before the first answer. */
  getTransactionStatus(): string | null;
  query(query: PgQuery): unknown;
  readonly connection: {
    on(event: "readyForQuery", heard: (message?: { readonly status?: string }) => void): unknown;
  };
  readonly constructor: {
    new (): PgClient;
    readonly Query: new (
      config: { text: string; values?: unknown[] | undefined },
      values: undefined,
      done: (error: unknown, result: { rows: unknown[] }) => void,
    ) => PgQuery;
  };
  /** Whether queries are sent before those in front of them are answered. */
  readonly pipeline?: boolean;
}

interface PgQuery {
  /** Sends itself, or returns the error that prevents it. */
  submit(connection: unknown): unknown;
}

/** How many transactions of a client have ended since it was first seen. */
class Ends {
  count = 0;
  #isWithin: boolean;

  constructor(client: PgClient) {
    this.#isWithin = isWithin(client);
    client.connection.on("readyForQuery", (message) => {
      const wasWithin = this.#isWithin;
      this.#isWithin = message?.status !== "I";
      if (wasWithin && !this.#isWithin) this.count += 1;
    });
  }
}

const endsOf = new WeakMap<PgClient, Ends>();

/** The transaction that a client of node-postgres is in, or is about to begin. */
export class PgTransaction implements SqlClient {
  readonly #client: PgClient;
  readonly #ends: Ends;
  readonly #endsBefore: number;

  private constructor(client: PgClient) {
    this.#client = client;
    let ends = endsOf.get(client);
    if (ends === undefined) endsOf.set(client, ends = new Ends(client));
    this.#ends = ends;
    this.#endsBefore = ends.count;
  }

  /** The transaction of a client; null for any other client. */
  static of(tx: unknown): PgTransaction | null {
    return isPgClient(tx) ? new PgTransaction(tx) : null;
  }

  /**
   * Runs one statement.
   *
   * @throws {AtlastError} `no_transaction` when the client is not in this transaction; nothing is sent then.
   */
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }> {
    return new Promise((resolve, reject) => {
      const query = new this.#client.constructor.Query(
        { text, values },
        undefined,
        (error, result) => error ? reject(error) : resolve(result),
      );
      const { submit } = query;
      query.submit = (connection) =>
        this.#isOpen() ? submit.call(query, connection) : noTransaction();
      this.#client.query(query);
    });
  }

  #isOpen(): boolean {
    return isWithin(this.#client) && this.#ends.count === this.#endsBefore;
  }
}

function isWithin(client: PgClient): boolean {
  const status = client.getTransactionStatus();
  return status === "T" || status === "E";
}

/**
 * In a pipeline it is not known in which transaction a query will run. There, and on a native client, the
 * store asks the server.
 */
function isPgClient(tx: unknown): tx is PgClient {
  // A transaction of a store says itself when it has ended.
  if (typeof tx !== "object" || tx === null || TRANSACTION in tx) return false;
  const { getTransactionStatus, connection, constructor, pipeline } = tx as Partial<PgClient>;
  return typeof getTransactionStatus === "function" && typeof connection?.on === "function" &&
    typeof constructor?.Query?.prototype?.submit === "function" && pipeline !== true;
}
