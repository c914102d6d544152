/**
 * How a SQL store notifies other processes of new work.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";

/** The notification that is sent by NOTIFY. */
export interface Notification {
  /** The channel; its listeners are notified. */
  readonly channel: string;
  /** The sender, and the box. */
  readonly payload: string;
}

/** How a store notifies other processes of new work; see `Store.notify` and `Store.listen`. */
export interface Wakeups {
  /** Notifies other processes. */
  notify(box: Box): Promise<void>;
  /** The notification to send in the statement that writes; null when it is better sent separately. */
  aboard?(box: Box): Notification | null;
  /** Listens for notifications of other processes. */
  listen(wake: (box: Box) => void): Promise<() => Promise<void>>;
  /** Stops notifying and listening. */
  close(): Promise<void>;
}
