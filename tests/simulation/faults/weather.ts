/**
 * Faults that begin in a round and last for a while: partitions, outages, crashes of databases, clocks that jump.
 *
 * @module
 */
import type { Actor } from "../actors/actor.ts";
import { type ServiceName, SERVICES } from "../contracts.ts";
import type { World } from "../world.ts";
import type { Via } from "./simulated_process.ts";

/** How long it lasts at the most that something cannot be reached, in milliseconds. */
const CUT_MS = 15_000;
/** How long a database is down at the most after a crash, in milliseconds. */
const DOWN_MS = 5_000;

/** Makes faults that last. */
export const weather: Actor = {
  name: "weather",
  act(world) {
    for (const name of SERVICES) {
      const service = world[name];
      cut(world, name, "network");
      cut(world, name, "store");
      if (world.faults.happens("database_crash", name, `the database of ${name}`)) {
        const downMs = Math.ceil(world.faults.size("database_crash") * DOWN_MS);
        service.database.crash(world.faults.size("database_crash"), downMs);
      }
      if (name === "orders" && world.faults.happens("database_crash", name, "business database")) {
        world.business.stopFor(Math.ceil(world.faults.size("database_crash") * DOWN_MS));
      }
      for (const { process } of service.instances) {
        if (process.isDead || !world.faults.happens("clock_step", name, process.name)) continue;
        process.skewMs = world.skew("clock_step");
      }
    }
  },
};

/** Cuts off some processes of a service. */
function cut(world: World, name: ServiceName, via: Via): void {
  const fault = via === "network" ? "partition" : "store_outage";
  if (!world.faults.happens(fault, name, name)) return;
  const untilMs = world.time.nowMs + Math.ceil(world.faults.size(fault) * CUT_MS);
  const isWhole = world.faults.size(fault) < 0.5;
  world[name].instances.forEach(({ process }, i) => {
    if (isWhole || i === 0) process.cutUntilMs[via] = untilMs;
  });
}
