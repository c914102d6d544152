/**
 * The guard of {@link ./guard.ts} for transactions of postgres.js.
 *
 * @module
 */
import type { TransactionEnd } from "./guard.ts";

type Method = (...args: unknown[]) => unknown;

/** A query of postgres.js: it is sent when it is first waited for, through its handler. */
interface LazyQuery {
  handler: Method & { debug?: unknown };
  reject(error: unknown): void;
}

/** Guards a transaction, and the savepoints within it. */
export function guardedPostgresJs<Tx>(tx: Tx, end: TransactionEnd): Tx {
  return new Proxy(tx as Tx & Method, {
    apply: (target, self, args) => guardedQuery(Reflect.apply(target, self, args), end),
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      switch (name) {
        case "unsafe":
        case "file":
          return (...args: unknown[]) => guardedQuery(Reflect.apply(value, target, args), end);
        case "savepoint":
          return (...args: unknown[]) => guardedSavepoint(value.bind(target), args, end);
        case "notify":
          return (...args: unknown[]) =>
            end.reached ? Promise.reject(end.error()) : Reflect.apply(value, target, args);
        default:
          return value;
      }
    },
  });
}

/** A query may be made in time and waited for too late, so what counts is when it is sent. */
function guardedQuery(made: unknown, end: TransactionEnd): unknown {
  if (!isLazyQuery(made)) return made;
  const { handler } = made;
  made.handler = Object.assign(
    (query: LazyQuery) => end.reached ? query.reject(end.error()) : handler(query),
    { debug: handler.debug },
  ) as Method;
  return made;
}

function isLazyQuery(made: unknown): made is LazyQuery {
  return made instanceof Promise && typeof (made as Partial<LazyQuery>).handler === "function";
}

/**
 * A savepoint that is still open when its transaction ends must not be rolled back any more: the
 * connection may be in another transaction by then, with a savepoint of that name. Its work is
 * never reported back to postgres.js then.
 */
function guardedSavepoint(
  savepoint: Method,
  args: readonly unknown[],
  end: TransactionEnd,
): Promise<unknown> {
  if (end.reached) return Promise.reject(end.error());
  const work = args.at(-1) as (inner: unknown) => unknown;
  return new Promise((resolve, reject) => {
    const unlessEnded = (settle: Method) => (value: unknown) =>
      end.reached ? reject(end.error()) : settle(value);
    const guarded = (inner: unknown) =>
      new Promise((release, rollBack) => {
        const run = async () => await settledArray(work(guardedPostgresJs(inner, end)));
        run().then(unlessEnded(release), unlessEnded(rollBack));
      });
    Promise.resolve(savepoint(...args.slice(0, -1), guarded)).then(resolve, reject);
  });
}

/** As postgres.js does: work may return an array of queries. */
function settledArray(result: unknown): unknown {
  return Array.isArray(result) ? Promise.all(result) : result;
}
