/**
 * The first tests of docs/testing.md, as the page shows them, with each test runner that it names, against the package
 * as npm installs it. In each, a test that must fail shows that the runner sees a failure of the kit.
 *
 * @module
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { stop, transform } from "esbuild";
import { installed } from "../../tools/npm_folder.ts";
import { codeBlocks } from "../support/markdown.ts";
import { readText, ROOT } from "../support/repository.ts";
import { type Command, Program } from "../support/runtimes/program.ts";
import { bunPath, workplace } from "../support/runtimes/workplace.ts";
import { skipFor } from "../support/skip.ts";

/** A test runner. */
interface Runner {
  readonly name: string;
  /** What its example on the page has, and no other's. */
  readonly mark: string;
  command(file: string): Promise<Omit<Command, "cwd">>;
}

const RUNNERS: readonly Runner[] = [
  {
    name: "node:test",
    mark: 'from "node:test"',
    command: (file) => Promise.resolve({ command: "node", args: ["--test", file] }),
  },
  {
    name: "Vitest",
    mark: 'from "vitest"',
    command: (file) =>
      Promise.resolve({
        command: "node",
        args: ["node_modules/vitest/vitest.mjs", "run", "--no-cache", file],
      }),
  },
  {
    name: "Bun",
    mark: 'from "bun:test"',
    command: async (file) => ({ command: await bunPath(), args: ["test", `./${file}`] }),
  },
];

const blocks = codeBlocks(readText("docs/testing.md"));

function exampleOf(mark: string): string {
  const code = blocks.find((block) => block.code.includes(mark))?.code;
  assert.ok(code !== undefined, `the page has no example with ${mark}`);
  return code;
}

/** A folder with the package, the schema library of the examples and Vitest. */
async function folder(): Promise<string> {
  const home = installed(
    join(ROOT, "tests/runtimes/test_runners"),
    join(ROOT, ".tmp/test_runners"),
  );
  const packed = join(await workplace(), "shop/node_modules/@atlast");
  cpSync(packed, join(home, "node_modules/@atlast"), { recursive: true, force: true });
  return home;
}

/** Runs a test, and returns whether it passed, and what the runner printed. */
async function outcomeOf(
  file: string,
  source: string,
  command: Command,
): Promise<{ passed: boolean; output: string }> {
  // It does not stay: the type check of the repository does not know the modules of other runners.
  writeFileSync(file, source);
  try {
    const program = new Program({ ...command, inherits: true });
    const passed = await program.ended().then(() => true, () => false);
    return { passed, output: program.output };
  } finally {
    rmSync(file);
  }
}

/** Runs a test of the page with a runner. */
async function outcomeWith(
  { name, command }: Runner,
  source: string,
): Promise<{ passed: boolean; output: string }> {
  const cwd = await folder();
  const { code } = await transform(source, { loader: "ts" });
  await stop();
  const file = `${name.replace(":", "_").toLowerCase()}.test.mjs`;
  return await outcomeOf(join(cwd, file), code, { ...await command(file), cwd });
}

/** The example, with an assertion that does not hold. */
function failing(code: string): string {
  const changed = code.replace(
    "await kit.drained();",
    "await kit.drained(); await kit.assertPublished(OrderPlaced, { orderId: 8 });",
  );
  assert.notEqual(changed, code);
  return changed;
}

/** Why npm cannot make the folder here; false if it can. With `CI=true` it must. */
async function problem(): Promise<string | false> {
  try {
    await folder();
    await bunPath();
    return false;
  } catch (error) {
    if (process.env["CI"] === "true") throw error;
    return skipFor(`the test runners cannot be made ready: ${String(error).split("\n")[0]}`);
  }
}

describe("the testing kit with the package installed", { skip: await problem() }, () => {
  for (const runner of RUNNERS) {
    it(`works with ${runner.name}, as the page shows`, { timeout: 120_000 }, async () => {
      const example = exampleOf(runner.mark);
      const passing = await outcomeWith(runner, example);
      assert.ok(passing.passed, passing.output);
      assert.match(passing.output, /an order is mailed once|\b1 (pass|passed)\b/);
      const { passed, output } = await outcomeWith(runner, failing(example));
      assert.ok(!passed, output);
      assert.match(output, /1\. order\.placed \{"orderId":7\}/);
    });
  }

  it("works beside the fake timers of Vitest", { timeout: 120_000 }, async () => {
    const vitest = RUNNERS.find(({ name }) => name === "Vitest") as Runner;
    const source = exampleOf(vitest.mark)
      .replace("import { expect, test }", "import { expect, test, vi }")
      .replace("const mailed", "vi.useFakeTimers(); const mailed")
      .replace("await kit.drained()", "await kit.drained({ withinMs: 60_000 })")
      .replace("{ orderId: 7 });", "{ orderId: 7 }, { delayMs: 60_000 });");
    const { passed, output } = await outcomeWith(vitest, source);
    assert.ok(passed, output);
  });
});

describe("the testing kit on Deno", () => {
  it("works as the page shows", { timeout: 120_000 }, async () => {
    const example = exampleOf("Deno.test(");
    const home = join(ROOT, ".tmp/testing_kit");
    mkdirSync(home, { recursive: true });
    const file = join(home, "example_test.ts");
    const command = {
      command: process.execPath,
      args: ["test", "--quiet", "--allow-all", file],
      cwd: ROOT,
    };
    const passing = await outcomeOf(file, example, command);
    assert.ok(passing.passed, passing.output);
    const { passed, output } = await outcomeOf(file, failing(example), command);
    assert.ok(!passed, output);
    assert.match(output, /1\. order\.placed \{"orderId":7\}/);
  });
});
