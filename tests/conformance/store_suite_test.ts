import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Store } from "../../core/ports.ts";
import { brokenStores } from "./store/broken_stores.ts";
import { STORE_TOPICS } from "./store_suite.ts";

describe("the store suite refuses a store that", () => {
  for (const [fault, make] of Object.entries(brokenStores())) {
    it(fault, async () => {
      assert.notDeepEqual(await failing(make), [], "every case passed");
    });
  }
});

/** The cases that fail on a store, each run on a new one. */
async function failing(make: () => Store): Promise<string[]> {
  const titles: string[] = [];
  for (const cases of Object.values(STORE_TOPICS)) {
    for (const [title, run] of Object.entries(cases)) {
      const store = make();
      await run({ store, peer: store }).catch(() => titles.push(title));
    }
  }
  return titles;
}
