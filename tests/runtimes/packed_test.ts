/**
 * The quick conformance suites on Node and Bun, against the package as npm installs it. All of them:
 * `deno task test:packed node`, `… bun`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bundled, QUICK_SUITES, testCommand } from "../support/runtimes/packed.ts";
import { run } from "../support/runtimes/program.ts";
import { BUN, NODE, unavailable } from "../support/runtimes/runtime.ts";

/** How each says how many tests passed and failed. */
const COUNTS = { node: /^# (pass|fail) (\d+)$/gm, bun: /^ *()(\d+) (pass|fail)$/gm };

for (const [name, runtime] of [["node", NODE], ["bun", BUN]] as const) {
  describe(`the packed package on ${runtime.name}`, { skip: await unavailable(runtime) }, () => {
    it("passes the quick conformance suites", async () => {
      const output = await run(await testCommand(name, await bundled(QUICK_SUITES)));
      const counts = [...output.matchAll(COUNTS[name])]
        .map(([, before, count, after]) => [before || after, Number(count)]);
      const { pass = 0, fail } = Object.fromEntries(counts);
      assert.equal(fail, 0, output);
      assert.ok(pass > 300, `only ${pass} passed`);
    });
  });
}
