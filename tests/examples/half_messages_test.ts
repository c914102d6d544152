import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe, test } from "node:test";
import { codeBlocks } from "../support/markdown.ts";
import { readText, ROOT } from "../support/repository.ts";

const EXAMPLE = "examples/half_messages.ts";
const HEADING = "## An example";

/** The code blocks of the page's section: the program, and what it prints. */
function shownBlocks(): { program: string; output: string } {
  const [, after = ""] = readText("docs/half-messages.md").split(`${HEADING}\n`);
  const [program, output] = codeBlocks(after);
  return { program: program?.code ?? "", output: output?.code ?? "" };
}

describe("the example of half messages", () => {
  test("is the program in docs/half-messages.md", () => {
    const [, program] = readText(EXAMPLE).split(/^ \*\/\n/m);
    assert.equal(shownBlocks().program, program);
  });

  test("prints what the page says", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [
      ...["run", "--quiet", "--allow-all", ROOT + EXAMPLE],
    ], { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });
    assert.equal(status, 0, stderr);
    assert.equal(stdout, shownBlocks().output);
    assert.match(stdout, /^cup is paid$/m);
  });
});
