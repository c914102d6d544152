/**
 * The programs of docs/writing-an-adapter.md that test and simulate a store, as the page shows them, on Node and Bun,
 * against the package as npm installs it. On Deno docs_test.ts runs them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { stop, transform } from "esbuild";
import { codeBlocks } from "../support/markdown.ts";
import { readText } from "../support/repository.ts";
import { testCommand, type TestRuntime } from "../support/runtimes/packed.ts";
import { Program } from "../support/runtimes/program.ts";
import { BUN, NODE, unavailable } from "../support/runtimes/runtime.ts";
import { workplace } from "../support/runtimes/workplace.ts";

const blocks = codeBlocks(readText("docs/writing-an-adapter.md"));
const example = blocks.find(({ code }) => code.includes('from "node:test"'))?.code ?? "";
const simulation = blocks.find(({ code }) => code.includes("simulate("))?.code ?? "";

/** Runs the program of the page, and returns whether it passed, and what it printed. */
async function outcomeOn(
  runtime: TestRuntime,
  source: string,
): Promise<{ passed: boolean; output: string }> {
  const { code } = await transform(source, { loader: "ts" });
  await stop();
  const folder = join(await workplace(), "shop/tests");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `conformance_${crypto.randomUUID()}.test.mjs`);
  const command = await testCommand(runtime, [file]);
  writeFileSync(file, code);
  try {
    const program = new Program(command);
    const passed = await program.ended().then(() => true, () => false);
    return { passed, output: program.output };
  } finally {
    rmSync(join(folder, basename(file)));
  }
}

for (const [name, runtime] of [["node", NODE], ["bun", BUN]] as const) {
  describe(`the conformance suite on ${runtime.name}`, { skip: await unavailable(runtime) }, () => {
    it("passes a store that conforms, and no other", { timeout: 240_000 }, async () => {
      const good = await outcomeOn(name, example);
      assert.ok(good.passed, good.output);
      assert.match(good.output, /claim: the earliest due are claimed first|\b\d{3} pass\b/);
      // A store that says that it settled what it did not.
      const broken = example.replace(
        "return value.apply(target, args);",
        'return name === "settle" ? args[1].map(() => true) : value.apply(target, args);',
      );
      assert.notEqual(broken, example);
      const bad = await outcomeOn(name, broken);
      assert.ok(!bad.passed, bad.output);
      assert.match(bad.output, /settle: /);
    });

    it("runs the simulator on the stores of the page", { timeout: 240_000 }, async () => {
      const { output } = await outcomeOn(name, simulation);
      assert.match(output, /5 seeds, and nothing was lost[^]*SimulationFailed/);
    });
  });
}
