/**
 * Notifications between stores of one database in one process. PGlite runs in one process only.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Wakeups } from "../sql/wakeups.ts";

/** The listeners of each database and schema; they are collected with the database. */
const listeners = new WeakMap<object, Map<string, Set<Listener>>>();

interface Listener {
  readonly owner: object;
  readonly wake: (box: Box) => void;
}

/** Notifications of one store: it notifies the listeners of the same database and schema, except the sender itself. */
export function localWakeups(db: object, schema: string): Wakeups {
  const heard = listenersOf(db, schema);
  const wakeups: Wakeups = {
    notify(box, sender = wakeups) {
      for (const { owner, wake } of heard) if (owner !== sender) wake(box);
      return Promise.resolve();
    },
    listen(wake, sender = wakeups) {
      const listener = { owner: sender, wake };
      heard.add(listener);
      return Promise.resolve(() => {
        heard.delete(listener);
        return Promise.resolve();
      });
    },
    close: () => Promise.resolve(),
  };
  return wakeups;
}

function listenersOf(db: object, schema: string): Set<Listener> {
  let bySchema = listeners.get(db);
  if (bySchema === undefined) listeners.set(db, bySchema = new Map());
  let heard = bySchema.get(schema);
  if (heard === undefined) bySchema.set(schema, heard = new Set());
  return heard;
}
