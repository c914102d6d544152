import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { describe, test } from "node:test";
import { readText, ROOT } from "../support/repository.ts";

const EXAMPLE = "examples/half_messages.ts";
const HEADING = "## When one transaction cannot cover both";

/** The fenced blocks of the README's section: the program, and what it prints. */
function readmeBlocks(): { program: string; output: string } {
  const [, after = ""] = readText("README.md").split(`${HEADING}\n`);
  const [section = ""] = after.split("\n## ");
  const [program = "", output = ""] = [...section.matchAll(/^```\w*\n(.*?)^```$/gms)]
    .map(([, block]) => block ?? "");
  return { program, output };
}

describe("the example of half messages", () => {
  test("is the program in the README", () => {
    const [, program] = readText(EXAMPLE).split(/^ \*\/\n/m);
    assert.equal(readmeBlocks().program, program);
  });

  test("prints what the README says", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [
      ...["run", "--quiet", "--allow-all", ROOT + EXAMPLE],
    ], { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });
    assert.equal(status, 0, stderr);
    assert.equal(stdout, readmeBlocks().output);
    assert.match(stdout, /^cup is paid$/m);
  });
});
