/**
 * The `tx` of a transaction: a client of `pg` with all it can do, on the connection of a {@linkcode Session}, until the
 * transaction ends.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { TRANSACTION } from "../../core/ports/platform.ts";
import type { PgClient, PgPoolParts, PgQuery } from "./client.ts";
import type { PoolClient } from "./pool_client.ts";
import type { Session } from "./session.ts";
import { statementKind } from "./statement_kind.ts";

type Method = (...args: unknown[]) => unknown;
type Done = (error: unknown, result?: unknown) => void;

/** Methods of events: listeners of the work stay with its transaction, and not with a client of the pool. */
const EVENTS: ReadonlySet<string | symbol> = new Set([
  ...["on", "once", "off", "addListener", "removeListener", "removeAllListeners"],
  ...["prependListener", "prependOnceListener", "emit", "listeners", "listenerCount"],
  ...["rawListeners", "eventNames", "setMaxListeners", "getMaxListeners"],
]);

/** Events of a client that listeners of the work get. */
const PASSED_ON = ["notice", "notification"];

/** The session of each `tx`. */
const sessions = new WeakMap<object, Session>();

/** The session of a `tx`; undefined for any other value. */
export function sessionOf(tx: unknown): Session | undefined {
  return typeof tx === "object" && tx !== null ? sessions.get(tx) : undefined;
}

/** Makes the `tx` of a session. */
export function txClient(pool: PgPoolParts, session: Session): object {
  const own = Object.create(pool.Client?.prototype ?? Object.prototype) as PgClient;
  const refuse = (what: string) => () => {
    throw new AtlastError(
      "unsupported",
      `Cannot ${what} a client that is in a transaction of the bus: the bus ends the transaction, and gives the ` +
        "client back after that",
    );
  };
  const methods: Record<string | symbol, unknown> = {
    query: (...args: unknown[]) => query(session, args),
    release: refuse("release"),
    end: refuse("end"),
    connect: refuse("connect"),
    getTransactionStatus: () => session.client?.getTransactionStatus?.() ?? "I",
    [TRANSACTION]: undefined,
  };
  const tx = new Proxy(own, {
    has: (target, name) => name in methods || name in (session.client ?? target),
    get(target, name) {
      if (Object.hasOwn(methods, name)) return methods[name];
      const client = EVENTS.has(name) ? target : session.client ?? target;
      const value: unknown = Reflect.get(client, name);
      return typeof value === "function" && name !== "constructor" ? value.bind(client) : value;
    },
  });
  sessions.set(tx, session);
  session.onOpened = (client) => {
    const passOn = PASSED_ON.map((event) => {
      const listener = (...args: unknown[]) => {
        (own as unknown as { emit?: Method }).emit?.(event, ...args);
      };
      client.on(event, listener);
      return () => client.removeListener(event, listener);
    });
    session.onReleased = () => passOn.forEach((stop) => stop());
  };
  return tx;
}

/** What `client.query` does, for each kind of its arguments. */
function query(session: Session, args: readonly unknown[]): unknown {
  const [config, values, last] = args;
  if (isQuery(config)) return submitted(session, config, args);
  const { callback: given, ...rest } = (isObject(config) ? config : {}) as { callback?: Done };
  const done = [values, last, given].find((each) => typeof each === "function") as Done | undefined;
  const statement = given === undefined ? config : rest;
  const text = isObject(config) ? (config as { text?: unknown }).text : config;
  const kind = statementKind(text);
  const answer = kind.endsTransaction !== null
    ? Promise.reject(endsTransaction(kind.endsTransaction))
    : session.use(
      ({ client }: PoolClient) =>
        client.query(statement, typeof values === "function" ? undefined : values) as Promise<
          unknown
        >,
      kind,
    );
  // A rejection that nobody awaits fails the transaction, and must not end the process.
  answer.catch(() => {});
  if (done === undefined) return answer;
  answer.then((result) => done(null, result), (error) => done(error));
  return undefined;
}

/** A cursor, a stream or a copy: the client runs it in its turn. */
function submitted(session: Session, config: PgQuery, args: readonly unknown[]): PgQuery {
  session.hasQueries = true;
  const sent = session.use(({ client }) => {
    (client.query as Method)(...args);
    return Promise.resolve();
  });
  sent.catch((error) => config.handleError?.(error, undefined));
  return config;
}

function endsTransaction(statement: string): AtlastError {
  return new AtlastError(
    "unsupported",
    `Cannot run ${statement} in a transaction of the bus: the bus begins and ends it; want SAVEPOINT and ROLLBACK TO ` +
      "for a part of it, and a rejection of the work to roll it back",
  );
}

function isQuery(value: unknown): value is PgQuery {
  return isObject(value) && typeof (value as Partial<PgQuery>).submit === "function";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
