import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { withDiagram } from "../../tools/diagram.ts";

const PAGE = new URL("../../docs/concepts.md", import.meta.url);

describe("the life-cycle diagram", () => {
  it("in docs/concepts.md is what the table says (deno task diagram)", () => {
    const page = readFileSync(PAGE, "utf8");
    assert.equal(withDiagram(page), page);
  });

  it("differs when the page says otherwise", () => {
    const page = readFileSync(PAGE, "utf8").replace(
      "prepared --> cancelled",
      "prepared --> failed",
    );
    assert.notEqual(withDiagram(page), page);
  });

  it("cannot be written where the page has no place for it", () => {
    assert.throws(() => withDiagram("# Atlast"), /no <!-- lifecycle:begin -->/);
  });
});
