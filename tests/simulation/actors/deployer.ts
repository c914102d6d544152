/**
 * Keeps the services running: replaces what has died, deploys, and ticks as cron does.
 *
 * @module
 */
import type { Actor } from "./actor.ts";

/** Deploys, and replaces what has died. */
export const deployer: Actor = {
  name: "deployer",
  act(world) {
    const random = world.stream("deployer");
    for (const service of world.services) {
      for (let i = random() < 0.2 ? 2 : 1; i > 0; i--) world.tick(service);
      if (random() < 0.7) world.replaceDead(service);
      if (world.faults.happens("deploy", service.name, service.name)) world.redeploy(service);
    }
  },
  settle(world) {
    const deploys = world.stream("calm deploys")() < 0.15;
    for (const service of world.services) {
      world.replaceDead(service);
      world.replaceOld(service);
      if (deploys) world.redeploy(service);
      world.tick(service);
    }
  },
};
