/**
 * Random sequences of everything that can happen to half messages, in memory and on PGlite.
 *
 * @module
 */
import { after, before, describe, it } from "node:test";
import type { PGlite } from "@electric-sql/pglite";
import fc from "fast-check";
import {
  memoryFence,
  type MemoryFenceTransaction,
  memoryStore,
} from "../../../adapters/memory/mod.ts";
import type { Fence, Store } from "../../../ports.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { newPglite } from "../../support/pglite.ts";
import { SEED } from "../../support/property.ts";
import { onPglite } from "../../support/two_databases.ts";
import type { ModelPlace } from "./model/mood_fence.ts";
import { Run } from "./model/run.ts";
import { step } from "./model/steps.ts";

describe(`half messages in random sequences, seed ${SEED}`, () => {
  it("in memory", () => holdsIn(() => Promise.resolve(inMemory()), 2_000, 60));

  describe("on PGlite", () => {
    let databases: readonly [PGlite, PGlite];
    before(async () => {
      databases = [await newPglite(), await newPglite()];
    });
    after(async () => {
      for (const db of databases) await db.close();
    });

    it("in two databases", () => holdsIn(() => inPglite(...databases), 12, 30));
  });
});

async function holdsIn(
  open: () => Promise<ModelPlace>,
  numRuns: number,
  maxLength: number,
): Promise<void> {
  const sequence = fc.array(step, { minLength: 1, maxLength, size: "max" });
  const property = fc.asyncProperty(sequence, async (steps) => {
    const place = await open();
    try {
      const run = new Run(place);
      for (const step of steps) {
        await run.take(step);
        await run.mustHold();
      }
      await run.mustEnd();
    } finally {
      await place.close();
    }
  });
  await fc.assert(property, { seed: SEED, numRuns });
}

function inMemory(): ModelPlace {
  const rows = new Set<string>();
  const clock = new ManualClock();
  return {
    store: memoryStore() as Store,
    clock,
    fence: memoryFence(() => clock.now()) as Fence,
    pay(tx, id) {
      rows.add(id);
      (tx as MemoryFenceTransaction).onRollback(() => rows.delete(id));
      return Promise.resolve();
    },
    payments: () => Promise.resolve([...rows]),
    takesOpen: true,
    close: () => Promise.resolve(),
  };
}

async function inPglite(messages: PGlite, business: PGlite): Promise<ModelPlace> {
  const databases = await onPglite(messages, business);
  const [store, fence] = [databases.newStore(), databases.newFence()];
  await Promise.all([store.ready(), fence.ready()]);
  return { ...databases, clock: new ManualClock(), store, fence, takesOpen: false };
}
