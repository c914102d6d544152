import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../adapters/memory/mod.ts";
import type { Store } from "../../ports.ts";
import { storeWithoutTransactions } from "../support/without_transactions.ts";
import { simulate, SimulationFailed } from "./mod.ts";

/** The memory store, which applies each settlement whatever its claim. */
function withoutEpochs(): Store {
  const store = memoryStore() as Store;
  const settle = store.settle.bind(store);
  return Object.assign(store, {
    settle: (async (box, settlements, tx) => {
      const now = await Promise.all(settlements.map(({ key }) => store.find(box, key)));
      return await settle(
        box,
        settlements.map((settlement, i) => ({
          ...settlement,
          epoch: now[i]?.epoch ?? settlement.epoch,
        })),
        tx,
      );
    }) as typeof settle,
  });
}

describe("simulate", () => {
  it("runs on the store of an author, and nothing is lost or done twice", async () => {
    const { seeds, messages, faults } = await simulate({
      seeds: 12,
      store: () => memoryStore() as Store,
    });
    assert.equal(seeds, 12);
    assert.ok(messages > 12 * 10 && faults > 12 * 5, `${messages} messages, ${faults} faults`);
  });

  it("finds what is wrong with a store, with a short history of the seed", async () => {
    const failing = simulate({ seeds: 12, store: withoutEpochs });
    const error = await failing.then(() => null, (thrown: unknown) => thrown);
    assert.ok(error instanceof SimulationFailed, String(error));
    assert.ok(error.seed >= 1 && error.seed <= 12);
    const lines = error.message.split("\n");
    assert.ok(lines.length > 2 && lines.length <= 101, `${lines.length} lines`);
    assert.ok(lines[0]?.startsWith(`Seed ${error.seed}: ${error.invariant}: `));
    await assert.rejects(simulate({ seeds: 1, from: error.seed, store: withoutEpochs }), {
      seed: error.seed,
      invariant: error.invariant,
    });
  });

  it("runs on a store with a hint that may do nothing", async () => {
    const makeStore = () => {
      const store = memoryStore() as Store;
      return Object.assign(store, { hints: { ...store.hints, addAndNotify: () => null } });
    };
    assert.equal((await simulate({ seeds: 4, store: makeStore })).seeds, 4);
  });

  it("runs on a store of its own", async () => {
    assert.equal((await simulate({ seeds: 2, from: 5 })).seeds, 2);
  });

  it("refuses options that are none, and a store without transactions", async () => {
    const wrong = [{ seeds: 0 }, { from: 0.5 }, { store: 5 }, { seed: 1 }, {
      store: storeWithoutTransactions,
    }];
    for (const options of wrong) {
      await assert.rejects(simulate(options as never), { code: "invalid_option" });
    }
  });
});
