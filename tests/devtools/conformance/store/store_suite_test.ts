import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../../adapters/memory/mod.ts";
import type { Store } from "../../../../core/ports/store.ts";
import { storeSuite } from "../../../../devtools/conformance/mod.ts";
import { SEED } from "../../../support/property.ts";
import { storeWithoutTransactions } from "../../../support/without_transactions.ts";
import { brokenSteps, brokenStores } from "./broken_stores.ts";

describe("the store suite", () => {
  for (const make of [memoryStore, storeWithoutTransactions] as const) {
    it(`has a case for ${make.name}, which it passes, of a name of its own`, async () => {
      const names = suiteOf(make).map(({ name }) => name);
      assert.equal(new Set(names).size, names.length);
      assert.deepEqual(await failing(make, ["capabilities", "add", "step"]), []);
    });
  }

  it("leaves out transactions of a store that has none, and says why", () => {
    const skipped = suiteOf(storeWithoutTransactions).filter(({ topic }) =>
      topic === "transaction"
    );
    assert.ok(skipped.length > 0);
    for (const { skip } of skipped) assert.equal(skip, "it has no transactions");
  });

  it("refuses a store that says it can do something else", async () => {
    const { capabilities } = memoryStore();
    const open = () => {
      const store = memoryStore() as Store;
      return Promise.resolve({ subject: { store, peer: store }, close: () => store.close() });
    };
    const suite = storeSuite({ capabilities: { ...capabilities, durable: true }, open });
    const [declared] = suite.filter(({ topic }) => topic === "capabilities");
    await assert.rejects(declared?.run() ?? Promise.resolve(), { code: "ERR_ASSERTION" });
  });
});

describe("the store suite refuses a store that", () => {
  const topics = [...new Set(suiteOf(memoryStore).map(({ topic }) => topic))]
    .filter((topic) => topic !== "capabilities" && topic !== "lazy");
  for (const [fault, make] of Object.entries(brokenStores())) {
    it(fault, async () => {
      assert.notDeepEqual(await failing(make, topics), [], "every case passed");
    });
  }
  for (const [fault, make] of Object.entries(brokenSteps())) {
    it(fault, async () => {
      assert.notDeepEqual(await failing(make, ["step"]), [], "every case passed");
    });
  }
});

function suiteOf(make: () => Store) {
  return storeSuite({
    capabilities: make().capabilities,
    seed: SEED,
    open() {
      const store = make();
      return Promise.resolve({ subject: { store, peer: store }, close: () => store.close() });
    },
  });
}

/** The cases of these topics that fail on a store. */
async function failing(make: () => Store, topics: readonly string[]): Promise<string[]> {
  const names: string[] = [];
  for (const { topic, name, skip, run } of suiteOf(make)) {
    if (!topics.includes(topic) || skip !== null) continue;
    await run().catch(() => names.push(name));
  }
  return names;
}
