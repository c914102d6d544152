/**
 * How a SQL store notifies other processes of new work.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Run } from "./run.ts";

/** The notification that is sent by NOTIFY. */
export interface Notification {
  /** The channel; its listeners are notified. */
  readonly channel: string;
  /** The sender, and the box. */
  readonly payload: string;
}

/** How a store notifies other buses of new work; see `Store.notify` and `Store.listen`, also for the senders. */
export interface Wakeups {
  /** Notifies other buses. */
  notify(box: Box, sender?: object): Promise<void>;
  /** The notification to send in the statement that writes; null when it is better sent separately. */
  aboard?(box: Box, sender?: object): Notification | null;
  /** The notification to send in a transaction of the user; null when one was sent in another a moment ago. */
  atCommit?(box: Box, sender?: object): Notification | null;
  /** See `StoreHints.isNotified`. */
  isNotified?(): Promise<boolean>;
  /** Listens for notifications of other buses. */
  listen(wake: (box: Box) => void, sender?: object): Promise<() => Promise<void>>;
  /** Sends what waits to be sent. Listening ends by the function that {@linkcode Wakeups.listen} returned. */
  close(): Promise<void>;
}

/**
 * Sends a notification at the commit of a transaction; returns whether it will be sent. It is left out where it
 * could fail the transaction: where the server's queue of notifications is filling up, and where transactions may
 * be prepared for a second phase, because Postgres refuses that after NOTIFY.
 */
export async function notifyAtCommit(
  wakeups: Wakeups,
  box: Box,
  run: Run,
  sender?: object,
): Promise<boolean> {
  const notification = wakeups.atCommit?.(box, sender) ?? null;
  if (notification === null) return false;
  const { channel, payload } = notification;
  const sending = run(
    `select pg_notify($1::text, $2::text)
where current_setting('max_prepared_transactions') = '0' and pg_notification_queue_usage() < 0.5`,
    [channel, payload],
  );
  // A failure shows in the transaction itself: its next statement fails too.
  return await sending.then((rows) => rows.length > 0, () => false);
}
