/**
 * Keeps the services running: replaces what has died, deploys, and ticks as cron does.
 *
 * @module
 */
import type { Service, World } from "../world.ts";
import type { Actor } from "./actor.ts";

/** Deploys the old version in the place of what lives of the new one. */
function withdraw(world: World, service: Service): void {
  const present = service.instances.filter(({ isOld, process }) => !isOld && !process.isDead);
  for (const instance of present) world.redeploy(service, instance);
}

/** Deploys, and replaces what has died. */
export const deployer: Actor = {
  name: "deployer",
  act(world) {
    const random = world.stream("deployer");
    for (const service of world.services) {
      for (let i = random() < 0.2 ? 2 : 1; i > 0; i--) world.tick(service);
      if (random() < 0.7) world.replaceDead(service);
      if (world.faults.happens("deploy", service.name, service.name)) world.redeploy(service);
      if (world.isWithdrawn) withdraw(world, service);
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
