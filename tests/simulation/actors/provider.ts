/**
 * A push provider that accepted messages and could not deliver some of them, or did not notice that it had.
 *
 * @module
 */
import type { Actor } from "./actor.ts";

/** Dead-letters messages that were sent. */
export const provider: Actor = {
  name: "provider",
  act(world) {
    const { faults, ledger } = world;
    for (const service of world.services) {
      const sent = [...ledger.settled].filter((entry) =>
        entry.service === service.name && entry.box === "outbox" &&
        entry.record.state === "succeeded"
      );
      const entry = faults.pick("dead_lettered", sent.slice(-6));
      const instance = world.aliveOf(service);
      if (entry === undefined || instance === undefined) continue;
      const { id } = entry.record;
      if (!faults.happens("dead_lettered", service.name, id)) continue;
      instance.bus.deadLetter({ id, reason: "not delivered" }).catch(() => {
        // It reports again or gives up: the message is sent, and nobody knows better.
      });
    }
  },
};
