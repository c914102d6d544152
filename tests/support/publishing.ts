/**
 * The ways to publish many messages.
 *
 * @module
 */
import type { Bus } from "../../mod.ts";
import { Placed, type Tx } from "./bus_fixture.ts";

/** Publishes messages with these bodies. */
type Publishing = (bus: Bus<Tx>, bodies: readonly { readonly n: number }[]) => Promise<unknown>;

/** The ways, by their titles. */
export const PUBLISHING: Readonly<Record<string, Publishing>> = {
  "in one call": (bus, bodies) => bus.publishMany(Placed, bodies),
  "in calls at the same time": (bus, bodies) =>
    Promise.all(bodies.map((body) => bus.publish(Placed, body))),
  "in a transaction": (bus, bodies) =>
    bus.transaction(async (tx) => {
      for (const body of bodies) await bus.publish(Placed, body, { tx });
    }),
};
