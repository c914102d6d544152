import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readOptions } from "../../../tools/simulate/options.ts";

describe("simulate: the command line", () => {
  it("runs 200 seeds from 1 in one process if nothing else is wanted", () => {
    const options = readOptions([]);
    assert.ok(options !== null);
    const { seeds, from, processes, seed, limitMs } = options;
    assert.deepEqual([seeds, from, processes, seed, limitMs], [200, 1, 1, null, Infinity]);
  });

  it("has no number of seeds with --minutes alone, and both ends with both", () => {
    const alone = readOptions(["--minutes", "1.5"]);
    assert.deepEqual([alone?.seeds, alone?.limitMs], [Number.MAX_SAFE_INTEGER, 90_000]);
    const both = readOptions(["--minutes", "2", "--seeds", "7", "--from", "3"]);
    assert.deepEqual([both?.seeds, both?.limitMs, both?.from], [7, 120_000, 3]);
  });

  it("refuses what is no number, and names the option", () => {
    const cases = [["--seeds", "many"], ["--from", "-1"], ["--processes", "0"], ["--minutes", "0"]];
    for (const [option = "", value = ""] of [...cases, ["--seed", ""], ["--seeds", "1.5"]]) {
      assert.throws(() => readOptions([`${option}=${value}`]), {
        name: "RangeError",
        message: new RegExp(`^Cannot simulate with ${option} ${value}: want a`),
      });
    }
  });

  it("wants help with --help", () => {
    assert.equal(readOptions(["--help"]), null);
  });
});
