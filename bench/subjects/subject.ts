/**
 * What is measured: a library, or the hand-written minimum `ref`, behind one interface.
 *
 * @module
 */

/** The body of every message: about 200 bytes of JSON. */
export interface Body {
  readonly n: number;
  /** When it was published, in milliseconds of {@linkcode wallClock}; 0 where nobody asks. */
  readonly at: number;
  readonly text: string;
}

/** How a subject is opened in a process of its own. */
export interface OpenOptions {
  /** A database of its own. */
  readonly url: string;
  /** The port of a Redis of its own; null where there is none. */
  readonly redisPort: number | null;
  /** Where the packages of peers are; null for those that need none. */
  readonly peers: string | null;
  /** Whether one message at a time is awaited, as in a measurement of latency. */
  readonly sparse: boolean;
  /** Whether messages come while it handles: then it must hear of them. Else they are all there before. */
  readonly awaits: boolean;
  /** Whether messages are sent from an outbox to an inbox, by those who can also do with one record. */
  readonly sent: boolean;
}

/** How a subject handles messages. */
export interface Work {
  /** Which messages: those to send, those received, or the whole way of a message. */
  readonly side: "outbox" | "inbox" | "both";
  /** Called with the body of each message. */
  readonly onMessage: (body: Body) => void;
  /** Whether the handler writes a row that must be there exactly once. */
  readonly effect: boolean;
  /** Whether many messages may be handled in one transaction, by those who offer it. */
  readonly batched: boolean;
  /** Whether a handler gets a transaction, from those who can do without. */
  readonly inTransaction: boolean;
}

/** A subject in one process. */
export interface Session {
  /** Creates its tables. */
  setUp(): Promise<void>;
  /** Publishes one message. */
  publish(body: Body): Promise<unknown>;
  /** Publishes many, by the fastest way it documents. */
  publishMany(bodies: readonly Body[]): Promise<unknown>;
  /** One transaction with {@linkcode BUSINESS_NOTE} and one message. */
  publishInTransaction?(body: Body): Promise<unknown>;
  /** Puts messages into the inbox, for those who have one. */
  receiveMany?(bodies: readonly Body[]): Promise<unknown>;
  /** Publishes one message that is due much later. */
  publishDelayed?(body: Body): Promise<unknown>;
  /** Deletes what is past its expiry for so long, as its clean-up does, and says how many that were. */
  prune?(budgetMs: number): Promise<number>;
  /** Starts handling. */
  work(work: Work): Promise<void>;
  /** How many messages are settled, for those who know it themselves; else the database is asked. */
  settled?(): number;
  /** Stops, and closes every connection. */
  close(): Promise<void>;
}

/** What the bench must know of a subject to prepare its database and to look at it. */
export interface Subject {
  readonly name: string;
  /** Where it keeps messages. */
  readonly store: "postgres" | "redis";
  /** The npm packages it stands for, in the table of versions. */
  readonly packages: readonly string[];
  /** Whether it drains so few thousand a second that a large backlog would take minutes. */
  readonly isSlow?: boolean;
  /** Asks whether everything is settled. */
  readonly settledSql: string | null;
  /** Adds `$1` settled messages and `$1` that are due in a year. */
  readonly growSql: readonly string[];
  /** Adds `$1` settled messages that are past their expiry. */
  readonly expireSql?: string;
  /** Deletes what is due now. */
  readonly clearSql: string | null;
  open(options: OpenOptions): Promise<Session>;
}

/** The business part of a transaction that publishes. */
export const BUSINESS_TABLE =
  "create table business (id bigserial primary key, note text not null)";
export const BUSINESS_NOTE = "fifty characters of business data, more or less xx";

/** Where handlers write what must be there once. */
export const EFFECT_TABLE = "create table effect (n bigint not null, note text not null)";

/** Where peers without an inbox note what they handled, as one does by hand. */
export const HANDLED_TABLE =
  "create table handled (id text primary key, at timestamptz default now())";

/** The time in milliseconds, finer than `Date.now` and the same in all processes of a machine. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}

const FILLER = "x".repeat(150);

/** The body of message `n`. */
export function bodyOf(n: number, at = 0): Body {
  return { n, at, text: FILLER };
}
