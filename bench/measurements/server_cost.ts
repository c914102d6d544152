/**
 * What a database server has done, and how much of it a measured message accounts for.
 *
 * @module
 */

/** What a server has done since it started. */
export interface ServerCost {
  /** Processor time in milliseconds; null if its processes cannot be read. */
  readonly cpuMs: number | null;
  /** Statements in one database; null without pg_stat_statements. */
  readonly statements: number | null;
  /** Bytes of write-ahead log; null if the server is not Postgres. */
  readonly walBytes: number | null;
}

/** The cost of messages: processor time in milliseconds for 1,000 of them, the rest for one. */
export interface MessageCost {
  readonly serverCpuMs: number | null;
  readonly statements: number | null;
  readonly walBytes: number | null;
}

/** Divides what the server did between `before` and `after` by the number of messages. */
export function costPerMessage(before: ServerCost, after: ServerCost, count: number): MessageCost {
  const divide = (field: keyof ServerCost, messages: number) => {
    const [from, to] = [before[field], after[field]];
    // With few messages, all may be handled before the server's first figures are read.
    return from === null || to === null || count <= 0 ? null : (to - from) / count * messages;
  };
  return {
    serverCpuMs: divide("cpuMs", 1000),
    statements: divide("statements", 1),
    walBytes: divide("walBytes", 1),
  };
}
