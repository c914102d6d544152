import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { committedFiles, readText } from "../support/repository.ts";

const FILES = new Set(committedFiles());

/** The rows of the tables: a promise, and the cell that names its tests. */
const ROWS = readText("docs/threat-model.md").split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (promise|-+) /.test(line))
  .map((line) => {
    const cells = line.split(" | ").map((cell) => cell.replace(/^\|?\s*|\s*\|?$/g, ""));
    return { promise: cells[0] ?? "", tests: cells[2] ?? "" };
  });

describe("the threat model", () => {
  it("has its promises in tables", () => {
    assert.ok(ROWS.length > 45, `only ${ROWS.length}`);
  });

  for (const { promise, tests } of ROWS) {
    it(`names tests that there are: ${promise}`, () => {
      const named = [...tests.matchAll(/`([\w/]+\.ts)`|"([^"]+)"/g)];
      assert.ok(named.some(([, file]) => file !== undefined), "no test file");
      let file = "";
      for (const [, name, title] of named) {
        if (name !== undefined) {
          file = name;
          assert.ok(FILES.has(file), `there is no ${file}`);
        } else if (title !== undefined) {
          assert.ok(readText(file).includes(title), `no test "${title}" in ${file}`);
        }
      }
    });
  }
});
