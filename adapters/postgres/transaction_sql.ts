/**
 * The `tx` of a transaction: everything a postgres.js transaction can do, on the connection of a {@linkcode
 * Session}, until the transaction ends.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { TRANSACTION } from "../../core/ports/platform.ts";
import {
  aTurn,
  type DriverQuery,
  forbidRepeat,
  isConnectionError,
  isDriverQuery,
  queryOf,
  withoutHoles,
} from "./driver.ts";
import type { TransactionEnd } from "../sql/ended_transaction.ts";
import type { PostgresJsTransaction } from "./client.ts";
import type { TransactionSession } from "./session.ts";
import { isUnknown } from "../sql/statement_errors.ts";
import { lostStatement } from "./statement.ts";

type Method = (...args: unknown[]) => unknown;

/** The parts of a transaction. */
export interface TransactionParts {
  /** The client. */
  readonly sql: PostgresJsTransaction;
  /** The connection. */
  readonly session: TransactionSession;
  /** Whether the transaction has ended. */
  readonly end: TransactionEnd;
}

/** The property of a `tx` that has its scope. */
const SCOPE = Symbol("scope");

function scopeOf(tx: object): TransactionScope {
  return (tx as { readonly [SCOPE]: TransactionScope })[SCOPE];
}

/** What every `tx` has beside being called: getters, so that methods can be taken off it. */
const METHODS: object = Object.create(Function.prototype, {
  ...Object.fromEntries(["types", "typed", "array", "json"].map((name) => [name, {
    get(this: object): unknown {
      return scopeOf(this).sql[name];
    },
  }])),
  unsafe: methodOf((scope) => (...args) => scope.own((scope.sql["unsafe"] as Method)(...args))),
  file: methodOf((scope) => (path, ...args) =>
    scope.own((scope.sql["unsafe"] as Method)(readFileSync(String(path)), ...args))
  ),
  notify: methodOf((scope) => (channel, payload) =>
    scope.own(
      (scope.sql["unsafe"] as Method)("select pg_notify($1, $2)", [channel, payload]),
    )
  ),
  savepoint: methodOf((scope) => (...args) => scope.savepoint(args)),
  prepare: methodOf((scope) => (name) => scope.prepare(String(name))),
  [TRANSACTION]: {
    get(this: object): unknown {
      return scopeOf(this).whole;
    },
  },
});

function methodOf(
  make: (scope: TransactionScope) => Method,
): PropertyDescriptor & ThisType<object> {
  return {
    get() {
      return make(scopeOf(this));
    },
  };
}

/** A transaction, or a savepoint within it. */
export class TransactionScope {
  /** The value that the work receives. */
  readonly tx: unknown;
  /** The name under which the work prepared the transaction for a second phase; null if it did not. */
  preparedAs: string | null = null;
  readonly #parts: TransactionParts;
  readonly #outermost: TransactionScope;
  #savepoints = 0;
  #failure: { readonly error: unknown } | null = null;

  constructor(parts: TransactionParts, outer?: TransactionScope) {
    this.#parts = parts;
    this.#outermost = outer === undefined ? this : outer.#outermost;
    this.tx = this.#sql();
  }

  /**
   * Throws the error of the first statement that failed, even if it was not awaited.
   */
  mustNotHaveFailed(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** The earlier failure that made the server refuse later statements, if `error` is such a refusal. */
  reason(error: unknown): unknown {
    const { code } = (error ?? {}) as { code?: unknown };
    return code === "25P02" && this.#failure !== null ? this.#failure.error : error;
  }

  /** Most handlers use little of it, so its methods are made when they are asked for. */
  #sql(): unknown {
    const sql = this.#parts.sql as unknown as Method;
    const tx = Object.assign((...args: unknown[]) => this.own(sql(...args)), { [SCOPE]: this });
    return Object.setPrototypeOf(tx, METHODS);
  }

  /** The client. */
  get sql(): Method & Record<string, unknown> {
    return this.#parts.sql as unknown as Method & Record<string, unknown>;
  }

  /** The transaction that a savepoint belongs to; undefined for the transaction itself. */
  get whole(): unknown {
    return this === this.#outermost ? undefined : this.#outermost.tx;
  }

  /** Makes a query run on the session. */
  own(query: unknown): unknown {
    return this.#onSession(query);
  }

  /** Runs work in a savepoint. */
  savepoint(args: unknown[]): Promise<unknown> {
    return this.#savepoint(args);
  }

  /** Notes the name for a second phase. */
  prepare(name: string): void {
    this.#outermost.preparedAs = name;
  }

  /** Sends a query on the session. A query may be created in time and awaited too late. */
  #onSession(made: unknown): unknown {
    if (!isDriverQuery(made)) return made;
    const { session, end } = this.#parts;
    const { resolve, reject } = made;
    made.resolve = (result) => {
      session.answered(made);
      resolve(withoutHoles(result));
    };
    made.reject = (error) => {
      session.answered(made);
      if (!isConnectionError(error) && !isUnknown(error)) {
        return reject(lostStatement(error) ?? error);
      }
      session.lose(error);
      aTurn().then(() => reject(session.loss ?? error));
    };
    const handler = (query: DriverQuery) => {
      if (end.reached) return query.reject(session.loss ?? end.error());
      query.catch((error) => this.#failure ??= { error });
      session.send(query);
    };
    made.handler = Object.assign(handler, { debug: made.handler.debug });
    return forbidRepeat(made);
  }

  async #savepoint(args: unknown[]): Promise<unknown> {
    const [first] = args;
    if (isTemplate(first)) {
      return await this.#savepoint([(inner: unknown) => (inner as Method)(...args)]);
    }
    const [name, work] = (args.length === 1 ? [null, first] : args) as [string | null, Method];
    const { sql, end } = this.#parts;
    const inner = new TransactionScope(this.#parts, this);
    const id = quoted(`s${this.#outermost.#savepoints++}${name === null ? "" : `_${name}`}`);
    const run = async (text: string) => {
      await (inner.#onSession(queryOf(sql, text, [], { simple: true })) as Promise<unknown>);
    };
    await run(`savepoint ${id}`);
    let result: unknown;
    try {
      result = await settled(work(inner.tx));
      if (!end.reached) inner.mustNotHaveFailed();
    } catch (error) {
      if (end.reached) throw end.error();
      await run(`rollback to ${id}`);
      throw inner.reason(error);
    }
    if (end.reached) throw end.error();
    return result;
  }
}

/** As postgres.js does: work may return an array of queries. */
export function settled(result: unknown): unknown {
  return Array.isArray(result) ? Promise.all(result) : result;
}

function isTemplate(value: unknown): boolean {
  return Array.isArray(value) && "raw" in value;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The part of `node:fs` that is used. */
interface FileSystem {
  readFileSync(path: string, encoding: "utf8"): string;
}

/** Not imported, because this module also runs on platforms without files. */
function readFileSync(path: string): string {
  const { process } = globalThis as {
    process?: { getBuiltinModule?(name: string): FileSystem | undefined };
  };
  const fs = process?.getBuiltinModule?.("node:fs");
  if (fs !== undefined) return fs.readFileSync(path, "utf8");
  throw new AtlastError(
    "unsupported",
    "Cannot run a file in a transaction on this platform: read it, and run its text by `unsafe`",
  );
}
