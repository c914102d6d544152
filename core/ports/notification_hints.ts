/**
 * Optional methods of a store about the notification of other processes.
 *
 * @module
 */
import type { RecordKey } from "./record.ts";
import type { Box } from "../lifecycle/lifecycle.ts";
import type { SqlClient } from "./platform.ts";

/**
 * What lets a bus notify others in time, and find out what it was not notified of.
 *
 * @typeParam Tx What the store calls a transaction.
 */
export interface NotificationHints<Tx = unknown> {
  /**
   * Notifies other processes of new work in a box when a transaction commits. Returns whether it will: a store may
   * leave it out, for instance when it did so a moment ago. It never rejects. Without it, other processes are notified
   * a moment after the commit, by looks of this process for what was added; see `haveBeenAdded`.
   *
   * @param sender As in `Store.notify`.
   */
  notifyAtCommit?(box: Box, tx: Tx | SqlClient, sender?: object): Promise<boolean>;

  /**
   * Sends a notification to this process, by the way that `Store.notify` uses, and resolves to whether it arrived at
   * `Store.listen` in time. Rejects if that is not known. Without it, the bus trusts that notifications arrive.
   */
  isNotified?(): Promise<boolean>;

  /**
   * Whether records with these keys have been added, in any state, and committed. The bus calls it for what was
   * published in transactions that it did not begin. Without it, work of a transaction that commits more than a second
   * after its publish is found by the next poll.
   */
  haveBeenAdded?(box: Box, keys: readonly RecordKey[]): Promise<boolean[]>;
}
