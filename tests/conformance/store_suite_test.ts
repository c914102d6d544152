import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Store } from "../../core/ports/store.ts";
import { brokenSteps, brokenStores } from "./store/broken_stores.ts";
import { STEP_TOPICS, STORE_TOPICS } from "./store_suite.ts";

describe("the store suite refuses a store that", () => {
  for (const [fault, make] of Object.entries(brokenStores())) {
    it(fault, async () => {
      assert.notDeepEqual(await failing(make, STORE_TOPICS), [], "every case passed");
    });
  }
  for (const [fault, make] of Object.entries(brokenSteps())) {
    it(fault, async () => {
      assert.notDeepEqual(await failing(make, STEP_TOPICS), [], "every case passed");
    });
  }
});

/** The cases that fail on a store, each run on a new one. */
async function failing(make: () => Store, topics: typeof STORE_TOPICS): Promise<string[]> {
  const titles: string[] = [];
  for (const cases of Object.values(topics)) {
    for (const [title, run] of Object.entries(cases)) {
      const store = make();
      await run({ store, peer: store }).catch(() => titles.push(title));
    }
  }
  return titles;
}
