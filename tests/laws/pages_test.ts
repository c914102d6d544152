import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PAGES } from "../../tools/docs.ts";
import { generate } from "../../tools/docs/markdown.ts";
import { codesOf } from "../../tools/errors_page.ts";
import { checkDefault, missingOptions } from "../../tools/options_page.ts";
import { readText } from "../support/repository.ts";

describe("a generated page", () => {
  for (const page of PAGES) {
    it(`${page.path} is what the code says (deno task docs)`, async () => {
      const current = readText(page.path);
      assert.equal(await generate(page, current), current);
    });
  }

  it("has each failure code that docs/retries-and-expiry.md has, and no other", () => {
    const page = readText("docs/retries-and-expiry.md");
    const table = page.slice(page.indexOf("| `code` of the failure"));
    const rows = table.slice(0, table.indexOf("\n\n")).matchAll(/^\| `(\w+)` +\|/gm);
    const codes = codesOf(readText("core/lifecycle/failure_code.ts"), "FailureCode");
    assert.deepEqual(
      [...rows].map(([, code]) => code).sort(),
      codes.map(({ code }) => code).sort(),
    );
  });

  it("is refused when an option has no place on it", () => {
    assert.deepEqual(missingOptions(["BusOptions", "NewThingOptions"]), ["NewThingOptions"]);
  });

  it("is refused when an option says its default in words", () => {
    const check = (doc: string) => () => checkDefault("BusOptions", { name: "leaseMs", doc });
    assert.throws(check("How long a claim holds; 60,000 if not\ngiven."), /BusOptions\.leaseMs/);
    assert.throws(check("How long it holds. Not given: a minute."), /@default/);
    assert.doesNotThrow(
      check("How long a claim holds. A message that is given up is not claimed."),
    );
  });

  it("is refused when a code has no cause or no fix", () => {
    const described = "/**\n   * It broke.\n   *\n   * Fix: Mend it.\n   */\n  ";
    const union = (first: string, last: string): string =>
      `export type Code =\n  ${first}| "one"\n  ${last}| "two";\n`;
    assert.deepEqual(codesOf(union(described, described), "Code").map(({ fix }) => fix), [
      "Mend it.",
      "Mend it.",
    ]);
    assert.throws(() => codesOf(union(described, ""), "Code"), /Cannot document "two"/);
    assert.throws(() => codesOf(union("/** It broke. */\n  ", described), "Code"), /"one"/);
  });
});
