/**
 * Connections that cannot be opened again because of a write that postgres.js 3.4 forgot.
 *
 * The driver collects short writes, and sends them at the end of a turn by an immediate. If the connection closes before
 * that, it cancels the immediate, keeps what it has collected, and believes for ever that the immediate is still to come.
 * When it opens the connection again, it puts its first message behind those bytes and does not send it: each query that
 * gets this connection then fails after `connect_timeout`, 30 seconds by default.
 *
 * So this remembers the function of the immediate, and calls it while the connection opens. The server refuses the old
 * bytes, which are in the place of the first message, and closes the connection. The driver then opens it once more, with
 * nothing in front. If nothing was forgotten, the call sends the first message a moment sooner, or does nothing.
 *
 * @module
 */
import type { DriverConnection } from "./driver.ts";

/** How long after the driver has begun to open a connection its writes are sent, in milliseconds. */
const SEND_AFTER_MS = [20, 100, 300, 1_000, 3_000];

type Immediate = (...args: unknown[]) => unknown;

/** Has a connection of a pool send what it has forgotten, each time that the driver opens it again. */
export function freeWhenStuck(connection: DriverConnection): void {
  const { connect, execute } = connection;
  let send: Immediate | null = null;
  connection.execute = (query) => {
    const { result, immediate } = withImmediate(() => execute(query));
    if (immediate !== null) {
      send = immediate;
      connection.execute = execute;
    }
    return result;
  };
  connection.connect = (query) => {
    connect(query);
    if (query !== undefined && send !== null) sendWhileOpening(connection, query, send);
  };
}

function sendWhileOpening(
  connection: DriverConnection,
  query: Promise<unknown>,
  send: Immediate,
): void {
  const { queue } = connection;
  const timers = SEND_AFTER_MS.map((ms) =>
    setTimeout(() => {
      if (connection.queue !== queue) return;
      try {
        send();
      } catch {
        // There is no socket yet, or nothing to send.
      }
    }, ms)
  );
  const stop = () => timers.forEach((timer) => clearTimeout(timer));
  // A query that only reserves a connection is no promise.
  if (query instanceof Promise) query.then(stop, stop);
}

/** Runs work, and returns what it has put off by `setImmediate`; null if nothing. */
function withImmediate<Result>(
  work: () => Result,
): { readonly result: Result; readonly immediate: Immediate | null } {
  const scope = globalThis as { setImmediate?: (work: Immediate, ...args: unknown[]) => unknown };
  const { setImmediate } = scope;
  if (setImmediate === undefined) return { result: work(), immediate: null };
  let immediate: Immediate | null = null;
  scope.setImmediate = (work, ...args) => {
    immediate ??= work;
    return setImmediate(work, ...args);
  };
  try {
    const result = work();
    return { result, immediate };
  } finally {
    scope.setImmediate = setImmediate;
  }
}
