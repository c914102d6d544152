/**
 * Wake-ups between the stores of one database in one process.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Wakeups } from "../sql/wakeups.ts";

/** Who listens, for each database and schema; forgotten with the database. */
const listeners = new WeakMap<object, Map<string, Set<Listener>>>();

interface Listener {
  readonly owner: Wakeups;
  readonly wake: (box: Box) => void;
}

/** Wake-ups for one store; it wakes the other stores of the same database and schema, not itself. */
export function localWakeups(db: object, schema: string): Wakeups {
  const room = roomOf(db, schema);
  const wakeups: Wakeups = {
    notify(box) {
      for (const { owner, wake } of room) if (owner !== wakeups) wake(box);
      return Promise.resolve();
    },
    listen(wake) {
      const listener = { owner: wakeups, wake };
      room.add(listener);
      return Promise.resolve(() => {
        room.delete(listener);
        return Promise.resolve();
      });
    },
    close() {
      for (const listener of room) if (listener.owner === wakeups) room.delete(listener);
      return Promise.resolve();
    },
  };
  return wakeups;
}

function roomOf(db: object, schema: string): Set<Listener> {
  let rooms = listeners.get(db);
  if (rooms === undefined) listeners.set(db, rooms = new Map());
  let room = rooms.get(schema);
  if (room === undefined) rooms.set(schema, room = new Set());
  return room;
}
