/**
 * Recognises clients that run statements but are not in a transaction: a pool, or the root client of a driver
 * or an ORM. Writes through one would commit separately from the caller's transaction.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";

/** The error of a write that would not be within its transaction. */
export function noTransaction(): AtlastError {
  return new AtlastError(
    "no_transaction",
    "Cannot write in this transaction: its client is outside a transaction, or already in another one; nothing " +
      "was written; want BEGIN before it, and each publish awaited before COMMIT or ROLLBACK",
  );
}

interface NoTransaction {
  readonly what: string;
  readonly want: string;
  readonly is: (tx: object) => boolean;
}

/** A transaction of each of these clients lacks one of these parts, or has a further one. */
const NO_TRANSACTIONS: readonly NoTransaction[] = [
  {
    what: "a client of postgres.js",
    want: "what bus.transaction gives to its work, or begin of guardPostgres(sql)",
    is: (tx) => has(tx, "unsafe", "begin"),
  },
  {
    what: "a pool of node-postgres",
    want: "a client of pool.connect() on which BEGIN was sent",
    is: (tx) => has(tx, "query", "connect") && "totalCount" in tx && "idleCount" in tx,
  },
  {
    what: "a database of PGlite",
    want: "what bus.transaction or db.transaction gives to its work",
    is: (tx) => has(tx, "query", "exec", "transaction"),
  },
  {
    what: "a database of Drizzle",
    want: "what db.transaction gives to its work",
    is: (tx) => has(tx, "execute", "transaction") && !has(tx, "rollback"),
  },
  {
    what: "a database of Kysely",
    want: "what db.transaction().execute gives to its work",
    is: (tx) =>
      has(tx, "executeQuery") && (tx as { isTransaction?: unknown }).isTransaction === false,
  },
];

/**
 * Refuses a client that is recognised as not being in a transaction.
 *
 * @throws {AtlastError} `no_transaction`.
 */
export function mustBeTransaction(tx: unknown): void {
  if ((typeof tx !== "object" || tx === null) && typeof tx !== "function") return;
  const none = NO_TRANSACTIONS.find(({ is }) => is(tx));
  if (none === undefined) return;
  throw new AtlastError(
    "no_transaction",
    `Cannot use ${none.what} as a transaction: its writes would commit separately; ` +
      `want ${none.want}`,
  );
}

function has(value: object, ...methods: readonly string[]): boolean {
  return methods.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}
