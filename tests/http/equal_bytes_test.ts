import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { equalInConstantTime } from "../../http/equal_bytes.ts";

describe("bytes that are compared in constant time", () => {
  const cases: readonly (readonly [number[], number[], boolean])[] = [
    [[], [], true],
    [[1, 2], [1, 2], true],
    [[1, 2], [1, 3], false],
    [[0, 2], [1, 2], false],
    [[1], [1, 2], false],
    [[1, 2], [1], false],
    [[1], [], false],
    [[], [1], false],
    // What is not there is no zero.
    [[1], [1, 0], false],
    [[1, 0], [1], false],
  ];
  for (const [a, b, expected] of cases) {
    it(`[${a}] and [${b}] are ${expected ? "equal" : "not equal"}`, () => {
      assert.equal(equalInConstantTime(Uint8Array.from(a), Uint8Array.from(b)), expected);
    });
  }
});
