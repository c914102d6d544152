import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { withDiagram } from "../../tools/diagram.ts";

const README = new URL("../../README.md", import.meta.url);

describe("the life-cycle diagram", () => {
  it("in the README is what the table says (deno task diagram)", () => {
    const readme = readFileSync(README, "utf8");
    assert.equal(withDiagram(readme), readme);
  });

  it("differs when the README says otherwise", () => {
    const readme = readFileSync(README, "utf8").replace(
      "prepared --> cancelled",
      "prepared --> failed",
    );
    assert.notEqual(withDiagram(readme), readme);
  });

  it("cannot be written where the README has no place for it", () => {
    assert.throws(() => withDiagram("# Atlast"), /no <!-- lifecycle:begin -->/);
  });
});
