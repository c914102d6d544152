/**
 * Idle connections of a postgres.js pool.
 *
 * The driver cannot take a connection without waiting or sending a statement. Its pool has a queue of idle
 * connections, which this reads.
 *
 * @module
 */
import type { DriverConnection, DriverQueue } from "./driver.ts";

/** The queue of free connections of each client, once one of them was seen there. */
const openQueues = new WeakMap<object, DriverQueue>();

/**
 * Notes where a client keeps its free connections, as soon as this one is among them. The driver starts its
 * idle timer then, and at no other time.
 */
export function learnOpenQueue(sql: object, connection: DriverConnection): void {
  if (openQueues.has(sql)) return;
  const { idleTimer } = connection;
  const { start } = idleTimer;
  idleTimer.start = () => {
    idleTimer.start = start;
    openQueues.set(sql, connection.queue);
    start();
  };
}

/** Takes a free connection out of the pool; undefined when none is known. */
export function takeOpenConnection(sql: object): DriverConnection | undefined {
  const queue = openQueues.get(sql);
  return queue === undefined || queue.length === 0 ? undefined : queue.shift();
}
