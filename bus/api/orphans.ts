/**
 * Messages that nobody handles: a group was renamed or removed, a subscriber was removed, or a name of a group has
 * a typo.
 *
 * @module
 */

/** Messages of the inbox that have been due for a while, and that no worker has claimed. */
export interface Orphans {
  /** Their name. */
  readonly name: string;
  /** The group that should handle them. */
  readonly group: string;
  /** How many were found. There may be more: a store looks at a bounded number of records. */
  readonly count: number;
  /** Since when the first of them has been due, in Unix milliseconds. */
  readonly sinceMs: number;
}

/** Which messages to move to another group. */
export interface Move {
  /** The name of the messages. */
  readonly name: string;
  /** The group that does not handle them. */
  readonly from: string;
  /** The group that is to handle them. */
  readonly to: string;
  /**
   * The most messages to move in this call, up to 1,000.
   *
   * @default 1_000
   */
  readonly limit?: number;
}

/** The result of a move. */
export interface Moved {
  /** How many messages the other group has now. It includes those that it had already, which it handles once. */
  readonly moved: number;
  /**
   * How many were left where they are: a worker has claimed them, the other group has a different message with
   * their id, or it may have handled them before and pruned them since.
   */
  readonly left: number;
}
