/**
 * Errors, with codes that a program can act on. HTTP statuses are assigned in `edge/`.
 *
 * @module
 */
import { isKind, markKind } from "./error_kinds.ts";

import type { DelayedBy } from "./lifecycle/delayed_by.ts";

/**
 * Every code of an {@linkcode AtlastError}. Each docstring has the cause and, after `Fix:`, what to
 * do. `docs/errors.md` is generated from them.
 */
export type ErrorCode =
  /**
   * A body or a reply does not fit its contract, or cannot be encoded or read as its content type says. A
   * {@linkcode ContractError} has the `problems`, each with its path.
   *
   * Fix: Correct the body, or change the contract in the publisher and the subscriber together. A message that
   * arrived with such a body is stored as failed: deploy the right contract, then `bus.retry` it.
   */
  | "invalid_body"
  /**
   * A body, a reply, a header set, a batch or a request is over its limit.
   *
   * Fix: Send less: keep large data elsewhere and publish a reference to it. The limits of bodies are
   * `maxBodyBytes` of the bus, of the edge app and of the transport; the least of them counts.
   */
  | "too_large"
  /**
   * A header has a name or a value that cannot be carried.
   *
   * Fix: Use HTTP field names and text without control characters.
   */
  | "invalid_header"
  /**
   * A message id is empty, too long, has control characters, or begins with a prefix that is
   * reserved for answers.
   *
   * Fix: Use 1 to 200 characters without control characters, or leave `id` out: the bus makes a UUIDv7.
   */
  | "invalid_id"
  /**
   * A message name or pattern is not made of tokens separated by dots.
   *
   * Fix: Use tokens of letters, digits, `_` and `-`, such as `order.placed`. Only patterns may have `*` and
   * `#`.
   */
  | "invalid_name"
  /**
   * An option was given a value that it does not allow.
   *
   * Fix: Read the message: it names the option and what it allows. The page of options lists all of them.
   */
  | "invalid_option"
  /**
   * A request or an entry of a stream cannot be read as a message.
   *
   * Fix: Correct the sender. It needs at least the headers `cap-msg-id` and `cap-msg-name`; the page of wire
   * formats has every form.
   */
  | "malformed_message"
  /**
   * A request has no valid signature or token.
   *
   * Fix: Check that both ends have the same keys, that their clocks differ by less than five minutes, and that
   * the sender signs for the right audience.
   */
  | "unauthenticated"
  /**
   * The caller is known but may not do this: a name, a callback name, a participant or a kind of principal that
   * is not on its list.
   *
   * Fix: Add it to the list of the verifier or of the route, or call a route that the caller may use.
   */
  | "forbidden"
  /**
   * The id belongs to a message with another name, body, destination or callback, or to one that was cancelled
   * or prepared.
   *
   * Fix: Publish another message under another id. Repeat a publish only with the same arguments.
   */
  | "id_conflict"
  /**
   * The transport has no destination for this name, or the bus has no check-back for this participant.
   *
   * Fix: Add the name to the `routes` of the transport, or the participant to `checkBacks`. A record that is
   * stored already is tried for an hour (`unroutableForMs`).
   */
  | "no_route"
  /**
   * A message was delivered to a service where nothing subscribes to its name.
   *
   * Fix: Correct the route of the sender, or deploy the subscriber.
   */
  | "no_subscriber"
  /**
   * Two subscribers of one group take the same name.
   *
   * Fix: Give one of them another group, or merge them.
   */
  | "duplicate_subscriber"
  /**
   * There is no such record.
   *
   * Fix: Check the id, the box and the group. A settled message is deleted when it expires.
   */
  | "not_found"
  /**
   * The record is not in a state that allows this step: for example, only a failed message can be retried.
   *
   * Fix: Read its state with `bus.store.find`. For a half message, another call or a check-back has decided it.
   */
  | "wrong_state"
  /**
   * Another worker claimed the record because this one did not renew its lease in time. Nothing that this
   * worker did in the transaction is kept.
   *
   * Fix: Nothing, if it is rare: the other worker handles the message. Otherwise look for an event
   * loop that is blocked for longer than `leaseMs`, or a database that does not answer.
   */
  | "lease_lost"
  /**
   * The fence refused the operation of a half message: the message was cancelled, or the operation has
   * committed before.
   *
   * Fix: Let the transaction roll back. If the operation should still take place, prepare another message.
   */
  | "fenced_off"
  /**
   * Something exceeded its time limit: a handler, a fence, a participant, an alarm, or a statement
   * that waited for a connection.
   *
   * Fix: Make it faster, or raise its limit (`handlerTimeoutMs`, `timeoutMs` of the subscriber,
   * `checkTimeoutMs`). If statements wait for connections, raise the size of the pool or lower `concurrency`.
   */
  | "timeout"
  /**
   * Another service did not answer, or its answer cannot be read.
   *
   * Fix: Check that it runs and that its URL and keys are right. A call with an id can be repeated safely.
   */
  | "unreachable"
  /**
   * The bus has stopped, or the handler that a context belongs to has ended, and the call is
   * refused.
   *
   * Fix: Do not use a bus after `stop()`, nor a handler's context after the handler ended. Await every
   * `publish` within a handler.
   */
  | "stopped"
  /**
   * The database has no tables of Atlast, or older ones than this version needs.
   *
   * Fix: Run what `migrationSql()` or `fenceMigrationSql()` prints, or let the store migrate (`migrate: true`).
   */
  | "not_migrated"
  /**
   * A newer version of Atlast migrated the database to a schema that this version cannot use.
   *
   * Fix: Deploy the newer version everywhere.
   */
  | "schema_too_new"
  /**
   * Another process has the folder of the embedded database open.
   *
   * Fix: Use one process for a PGlite folder. If the machine that had it open is gone, delete the
   * lock that the error names.
   */
  | "database_locked"
  /**
   * A transaction was used after it ended.
   *
   * Fix: Await everything that uses a transaction before its function returns.
   */
  | "transaction_ended"
  /**
   * The value of `tx` is not an open transaction: a pool, a root client, or a client without BEGIN.
   * Nothing was stored.
   *
   * Fix: Pass the transaction itself: the argument of `bus.transaction`, of
   * `guardPostgres(sql).begin`, or of the ORM, wrapped with `fromDrizzle` or `fromKysely`.
   */
  | "no_transaction"
  /**
   * The connection of a transaction was lost before its commit. Nothing of it is committed.
   *
   * Fix: Run the transaction again.
   */
  | "connection_lost"
  /**
   * The server answered COMMIT with ROLLBACK, as it does after a statement of the transaction failed. Nothing
   * of it is committed.
   *
   * Fix: Do not swallow an error of a statement inside the transaction; let it reject, or use a savepoint.
   */
  | "rolled_back"
  /**
   * The store did not answer, so the call may or may not have taken effect.
   *
   * Fix: Repeat the call with the same id; `OutcomeUnknown` has the `ids`. A transaction of your own has to be
   * checked first: read what it would have written.
   */
  | "outcome_unknown"
  /**
   * A pooler in transaction mode lost a prepared statement.
   *
   * Fix: Set `prepare: false` on the client of postgres.js, or on the store and the fence on `pg`.
   */
  | "prepared_statement_lost"
  /**
   * The store or the transport does not support the call, such as joining a transaction of another
   * kind.
   *
   * Fix: Use a store that has the capability; the page of each store lists what it cannot do.
   */
  | "unsupported";

/**
 * An error with an {@linkcode ErrorCode}, so that a program can act on it without parsing the text.
 */
export class AtlastError extends Error {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "AtlastError";

  static {
    markKind(AtlastError, "AtlastError");
  }

  /** Whether a value is such an error, of this copy of the library or of another. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isKind(this, AtlastError, "AtlastError", value);
  }

  /** The code of the error. */
  readonly code: ErrorCode;

  /** Creates an error. The message has what was attempted, the value, and what is allowed. */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The error for a reply or failure callback that could not be published because a different message
 * has its id.
 */
export class AnswerConflict extends AtlastError {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "AnswerConflict";

  static {
    markKind(AnswerConflict, "AnswerConflict");
  }

  /** Whether a value is such an error, of this copy of the library or of another. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isKind(this, AnswerConflict, "AnswerConflict", value);
  }

  /** Creates the error for the answer with this name. */
  constructor(name: string, id: string) {
    super(
      "id_conflict",
      `Cannot publish the answer "${name}" with id "${id}": a different message has it`,
    );
  }
}

/** One problem of a body: its place and its description. */
export interface Problem {
  /** The place in the body, such as `items[2].qty`; empty for the body itself. */
  readonly path: string;
  /** The schema's description, which may quote the body. */
  readonly message: string;
  /** What the schema wanted there, such as `number`, if it said so; it never quotes the body. */
  readonly expected?: string;
}

/** The most places that an error's message names. */
const MAX_PATHS = 20;

/**
 * A body or reply that does not fit its contract.
 *
 * Its message has the places of the problems and what the schema wanted there, but no value of the
 * body: error messages are stored and logged, and schemas quote invalid values.
 */
export class ContractError extends AtlastError {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "ContractError";

  static {
    markKind(ContractError, "ContractError");
  }

  /** Whether a value is such an error, of this copy of the library or of another. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isKind(this, ContractError, "ContractError", value);
  }

  // A private field, so that a log that prints the error does not show quoted values.
  readonly #problems: readonly Problem[];

  /** Creates an error for `what` (such as `body of "order.placed"`) from its problems. */
  constructor(what: string, problems: readonly Problem[]) {
    const wishes = problems.slice(0, MAX_PATHS).map((
      { path, expected = "what its schema takes" },
    ) => `want ${expected} at ${path === "" ? "the top" : path}`);
    const more = problems.length > MAX_PATHS ? `, and ${problems.length - MAX_PATHS} more` : "";
    super(
      "invalid_body",
      `Cannot accept the ${what}: ${wishes.join("; ")}${more}`,
    );
    this.#problems = problems;
  }

  /**
   * Every problem that the schema found, in the schema's words. They may quote the body, so do not
   * log them.
   */
  get problems(): readonly Problem[] {
    return this.#problems;
  }
}

/** Thrown by a handler when a retry cannot help: the message fails at once. */
export class NonRetryable extends Error {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "NonRetryable";

  static {
    markKind(NonRetryable, "NonRetryable");
  }

  /** Whether a value is such an error, of this copy of the library or of another. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isKind(this, NonRetryable, "NonRetryable", value);
  }
}

/**
 * The error of a send within a handler that the receiver of the message put off. Unlike a handler's own
 * {@linkcode RetryAfter}, its time only lengthens the schedule.
 */
export class SendDelayed extends AtlastError {
  /** When to try again, in milliseconds from now. */
  readonly retryAfterMs: number;
  /** What put it off; omitted for any answer with a time. */
  readonly delayedBy?: DelayedBy;

  /** Creates the error of a send. */
  constructor(message: string, retryAfterMs: number, delayedBy?: DelayedBy) {
    super("unreachable", message);
    this.retryAfterMs = retryAfterMs;
    if (delayedBy !== undefined) this.delayedBy = delayedBy;
  }
}

/** The longest time that a handler may choose, in milliseconds: that of every other delay. */
const MAX_WAIT_MS = 8.64e15;

/**
 * Thrown by a handler to choose the time of the next attempt, in 100 ms at the earliest.
 *
 * A time that is later than the schedule's counts no attempt, 100 times per message at most. Any other counts one.
 */
export class RetryAfter extends Error {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "RetryAfter";

  static {
    markKind(RetryAfter, "RetryAfter");
  }

  /** Whether a value is such an error, of this copy of the library or of another. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isKind(this, RetryAfter, "RetryAfter", value);
  }

  /** How long to wait, in milliseconds. */
  readonly retryAfterMs: number;

  /** Creates an error that requests the next attempt after `retryAfterMs` milliseconds, from 0 to 8.64e15. */
  constructor(
    retryAfterMs: number,
    message = `Retry after ${retryAfterMs} ms`,
    options?: ErrorOptions,
  ) {
    super(message, options);
    if (typeof retryAfterMs !== "number" || !(retryAfterMs >= 0 && retryAfterMs <= MAX_WAIT_MS)) {
      throw new RangeError(
        `Cannot retry after the ${typeof retryAfterMs} ${retryAfterMs}: want milliseconds from 0 to ${MAX_WAIT_MS}`,
      );
    }
    this.retryAfterMs = retryAfterMs;
  }
}
