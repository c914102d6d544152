import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { matchesPart } from "../../../devtools/testing/part_of.ts";

describe("the part of a body", () => {
  const body = { a: 1, b: { c: "x", d: [1, { e: null }] }, f: undefined };
  const parts: readonly (readonly [part: unknown, matches: boolean])[] = [
    [{}, true],
    [{ a: 1 }, true],
    [{ a: 2 }, false],
    [{ b: { c: "x" } }, true],
    [{ b: { c: "y" } }, false],
    [{ b: { d: [1, { e: null }] } }, true],
    [{ b: { d: [1, {}] } }, true],
    [{ b: { d: [1] } }, false],
    [{ b: { d: {} } }, false],
    [{ b: { d: { 0: 1 } } }, false],
    [{ f: undefined }, true],
    [{ g: undefined }, false],
    [{ toString: Object.prototype.toString }, false],
    [null, false],
    [1, false],
  ];
  for (const [part, matches] of parts) {
    it(`${JSON.stringify(part)} ${matches ? "is" : "is not"} in it`, () => {
      assert.equal(matchesPart(body, part), matches);
    });
  }

  it("compares dates, bytes and numbers that are none", () => {
    assert.ok(matchesPart(new Date(5), new Date(5)));
    assert.ok(!matchesPart(new Date(5), new Date(6)));
    assert.ok(!matchesPart({}, new Date(6)));
    assert.ok(matchesPart(new Uint8Array([1, 2]), new Uint8Array([1, 2])));
    assert.ok(!matchesPart(new Uint8Array([1, 2]), new Uint8Array([1])));
    assert.ok(matchesPart(NaN, NaN));
  });
});
