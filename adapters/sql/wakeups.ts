/**
 * How a SQL store notifies other processes of new work.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";

/** What others are told by NOTIFY. */
export interface Notification {
  /** Who listens there is told. */
  readonly channel: string;
  /** Who tells, and of which box. */
  readonly payload: string;
}

/** How a store tells others of new work; see `Store.notify` and `Store.listen`. */
export interface Wakeups {
  /** Tells. */
  notify(box: Box): Promise<void>;
  /** What to tell in the very statement that writes; null when that is better told by itself. */
  aboard?(box: Box): Notification | null;
  /** Listens. */
  listen(wake: (box: Box) => void): Promise<() => Promise<void>>;
  /** Stops telling and listening. */
  close(): Promise<void>;
}
