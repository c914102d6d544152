/**
 * A publisher that uses an id a second time for another message, by mistake.
 *
 * @module
 */
import { AtlastError } from "../../../mod.ts";
import { Deduct, Note } from "../contracts.ts";
import type { Actor } from "./actor.ts";

/** Publishes other bodies under ids that are taken. */
export const impostor: Actor = {
  name: "impostor",
  act() {
    // While things go wrong its publish may fail for other reasons, which shows nothing.
  },
  settle(world) {
    const { story, ledger, plan } = world;
    const instance = world.aliveOf(world.orders);
    // Once a record is pruned its id is free.
    if (instance === undefined || plan.retentionMs !== null || story.promised.length === 0) return;
    const index = Math.floor(world.stream("impostor")() * story.promised.length);
    const id = story.promised[index] as string;
    const name = ledger.find("orders", "outbox", { id, group: "" })?.record.message.name;
    const contract = [Deduct, Note].find((each) => each.name === name);
    if (contract === undefined) return;
    instance.bus.publish(contract as typeof Note, { n: -1, isPoison: false }, { id }).then(
      () => world.violate("ids", `another message was published as ${id}`),
      (error) => {
        if (error instanceof AtlastError && error.code === "id_conflict") return;
        world.violate("ids", `another message as ${id} was refused with ${error}`);
      },
    );
  },
};
