/**
 * What went wrong, as codes a program can act on. HTTP statuses are the edge's business, not
 * the error's.
 *
 * @module
 */

/** Every way Atlast refuses something, in one list. */
export type ErrorCode =
  /** A body does not fit its contract; {@linkcode ContractError} carries the problems. */
  | "invalid_body"
  /** A body, reply or header set is over its limit. */
  | "too_large"
  /** A header has a name or value that cannot be carried. */
  | "invalid_header"
  /** A message id is empty, too long or has control characters. */
  | "invalid_id"
  /** A message name or wildcard pattern is not dot-separated tokens. */
  | "invalid_name"
  /** An option was given a value outside what it documents. */
  | "invalid_option"
  /** What arrived cannot be read as a message. */
  | "malformed_message"
  /** A request is unsigned, or its signature does not hold. */
  | "unauthenticated"
  /** A request is who it says it is, but may not do this. */
  | "forbidden"
  /** The id is taken by a message with another name or body. */
  | "id_conflict"
  /** The transport knows no destination for this name. */
  | "no_route"
  /** Nothing here subscribes to this name. */
  | "no_subscriber"
  /** Two subscribers of one group claim the same name. */
  | "duplicate_subscriber"
  /** There is no such message. */
  | "not_found"
  /** The life of a message has no such step from where it stands. */
  | "wrong_state"
  /** A worker's claim was taken over by another; its work is not kept. */
  | "lease_lost"
  /** The fence has decided a half message the other way, or has let its operation through before. */
  | "fenced_off"
  /** Something took longer than it was given. */
  | "timeout"
  /** Another service did not answer, or not as it must. */
  | "unreachable"
  /** The bus is stopping or has stopped and takes no more. */
  | "stopped"
  /** The database has no Atlast tables, or older ones than this version needs. */
  | "not_migrated"
  /** The database was migrated by a newer version that this one cannot run beside. */
  | "schema_too_new"
  /** Another process has the embedded database open. */
  | "database_locked"
  /** A transaction was used after it ended. */
  | "transaction_ended"
  /** What was given as a transaction is none, or was none any more when it was written in. */
  | "no_transaction"
  /** The connection of a transaction was lost before its commit: nothing of it is committed. */
  | "connection_lost"
  /** The server rolled back a transaction instead of committing it. */
  | "rolled_back"
  /** The store did not answer, so it may or may not have done what was asked. Asking again with the same id is safe. */
  | "outcome_unknown"
  /** A pooler loses prepared statements: the Postgres client wants `prepare: false`. */
  | "prepared_statement_lost"
  /** The store cannot do what was asked, such as joining a transaction. */
  | "unsupported";

/** An error with a {@linkcode ErrorCode}, so that a caller can act on it without reading prose. */
export class AtlastError extends Error {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "AtlastError";
  /** What kind of refusal this is. */
  readonly code: ErrorCode;

  /** Makes an error; the message says what was done, what was got and what is wanted. */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** An answer could not be published, because a different message has its id. */
export class AnswerConflict extends AtlastError {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "AnswerConflict";

  /** Makes an error for the answer under a name. */
  constructor(name: string, id: string) {
    super(
      "id_conflict",
      `Cannot publish the answer "${name}" with id "${id}": a different message has it`,
    );
  }
}

/** One problem of a body: where it is and what is wrong there. */
export interface Problem {
  /** The place in the body, such as `items[2].qty`; empty for the body itself. */
  readonly path: string;
  /** What the schema says of it, which may quote the body. */
  readonly message: string;
}

/** How many places an error's message names: enough to act on. */
const MAX_PLACES = 20;

/**
 * A body or reply that does not fit its contract.
 *
 * Its message says where the problems are, and nothing of the body: messages are kept and logged, and schemas
 * quote what they refuse.
 */
export class ContractError extends AtlastError {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "ContractError";
  // Not a property of the object, so that no log that prints it shows what schemas quote.
  readonly #problems: readonly Problem[];

  /** Makes an error for `what` (such as `body of "order.placed"`) from its problems. */
  constructor(what: string, problems: readonly Problem[]) {
    const places = problems.slice(0, MAX_PLACES).map(({ path }) => path === "" ? "the top" : path);
    const more = problems.length > MAX_PLACES ? `, and ${problems.length - MAX_PLACES} more` : "";
    super(
      "invalid_body",
      `Cannot accept the ${what}: want what its schema takes, got something else at ` +
        `${places.join(", ")}${more}`,
    );
    this.#problems = problems;
  }

  /**
   * Every problem the schema found, in the schema's own words. They may quote the body: they are for whoever has
   * it, and not for a log.
   */
  get problems(): readonly Problem[] {
    return this.#problems;
  }
}

/** Thrown by a handler to say that trying again cannot help: the message fails at once. */
export class NonRetryable extends Error {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "NonRetryable";
}

/** Thrown by a handler to choose when it is tried again; the attempt still counts. */
export class RetryAfter extends Error {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "RetryAfter";
  /** How long to wait, in milliseconds. */
  readonly retryAfterMs: number;

  /** Makes an error that asks for the next attempt after `retryAfterMs` milliseconds. */
  constructor(
    retryAfterMs: number,
    message = `Retry after ${retryAfterMs} ms`,
    options?: ErrorOptions,
  ) {
    super(message, options);
    if (!(retryAfterMs >= 0)) {
      throw new RangeError(`Cannot retry after ${retryAfterMs} ms: want zero or more`);
    }
    this.retryAfterMs = retryAfterMs;
  }
}
