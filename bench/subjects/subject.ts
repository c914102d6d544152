/**
 * The interface of a subject. A subject is what the bench compares: Atlast, a peer, or `ref`, the
 * minimum written by hand.
 *
 * @module
 */
import type { MessageBody } from "./message_body.ts";

/** How a worker opens a subject. */
export interface OpenOptions {
  /** The URL of the fixture's database. */
  readonly url: string;
  /** The port of the bench's Redis server; null without one. */
  readonly redisPort: number | null;
  /** The folder with the packages of the peers; null for subjects that need none. */
  readonly peers: string | null;
  /** Whether messages come one at a time, as when latency is measured, rather than in a backlog. */
  readonly lowRate: boolean;
  /** Whether messages are published while it handles, so that it must be notified of them. */
  readonly needsNotifications: boolean;
  /** Whether a subject that can do with one record for each message uses outbox and inbox instead. */
  readonly usesTwoRecords: boolean;
}

/** How a subject handles messages. */
export interface HandleOptions {
  /** Sends from the outbox, handles from the inbox, or does both. */
  readonly box: "outbox" | "inbox" | "both";
  /** Called with the body of each message. */
  readonly onMessage: (body: MessageBody) => void;
  /** Whether the handler writes a row that must be there exactly once. */
  readonly writesRow: boolean;
  /** Whether a subject that offers it may handle many messages in one transaction. */
  readonly batched: boolean;
  /** Whether the handler is given a transaction, if the subject can do without one. */
  readonly inTransaction: boolean;
}

/** A subject that is open in one worker. */
export interface Session {
  /** Creates its tables. */
  setUp(): Promise<void>;
  /** Publishes one message. */
  publish(body: MessageBody): Promise<unknown>;
  /** Publishes many messages, in the fastest way that the subject documents. */
  publishMany(bodies: readonly MessageBody[]): Promise<unknown>;
  /** Runs one transaction that writes {@linkcode BUSINESS_NOTE} and publishes one message. */
  publishInTransaction?(body: MessageBody): Promise<unknown>;
  /** Puts messages into the inbox, if the subject has one. */
  receiveMany?(bodies: readonly MessageBody[]): Promise<unknown>;
  /** Publishes one message that is due much later. */
  publishDelayed?(body: MessageBody): Promise<unknown>;
  /** Prunes for a time and returns how many messages it deleted. */
  prune?(budgetMs: number): Promise<number>;
  /** Starts to send or handle messages. */
  startHandling(options: HandleOptions): Promise<void>;
  /** How many messages are settled. A subject that does not count them has `allSettledSql` instead. */
  settledCount?(): number;
  /** Stops, and closes every connection. */
  close(): Promise<void>;
}

/** A subject, and what the bench needs to set up and inspect its database. */
export interface Subject {
  readonly name: string;
  /** Where it keeps messages. */
  readonly store: "postgres" | "redis";
  /** Whether it drains so slowly that a full backlog would take minutes. */
  readonly isSlow?: boolean;
  /** Selects `settled`: whether all messages are settled. Null if the session counts them. */
  readonly allSettledSql: string | null;
  /** Adds `$1` settled messages, and `$1` that are due in a year. */
  readonly addGrownSql: readonly string[];
  /** Adds `$1` settled messages that are past their expiry. */
  readonly addExpiredSql?: string;
  /** Deletes the messages that are due now. */
  readonly deleteDueSql: string | null;
  open(options: OpenOptions): Promise<Session>;
}
