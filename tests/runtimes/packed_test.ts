/**
 * The quick conformance suites on Node and Bun, against the package as npm installs it. All of them:
 * `deno task test:packed node`, `… bun`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { bundled, QUICK_SUITES, testCommand } from "../support/runtimes/packed.ts";
import { run } from "../support/runtimes/program.ts";
import { BUN, NODE, unavailable } from "../support/runtimes/runtime.ts";
import { workplace } from "../support/runtimes/workplace.ts";

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

describe("the declarations of the packed package", { skip: await unavailable(NODE) }, () => {
  it("have no type any, and none that a comment breaks", async () => {
    const home = join(await workplace(), "shop/node_modules/@atlast/bus");
    const files = globSync("**/*.d.ts", { cwd: home });
    assert.ok(files.length > 50, `only ${files.length} files`);
    for (const file of files) {
      const text = readFileSync(join(home, file), "utf8");
      assert.doesNotMatch(text, /declare const \w+: any;/, file);
      // A line break in a comment behind `readonly` would end the member there.
      assert.doesNotMatch(text, /readonly \/\*\*[^/]*\n/, file);
    }
  });
});
