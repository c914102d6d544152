import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { committedFiles, readText } from "../support/repository.ts";

/** The README is a landing page. What is longer belongs in a page of docs/. */
const MAX_LINES = 250;

/** The pages of docs/ that an index does not link to. */
function missingFrom(index: string, pages: readonly string[]): string[] {
  return pages.filter((page) => !index.includes(`](${page.replace("docs/", "")})`));
}

describe("the README", () => {
  it(`has at most ${MAX_LINES} lines`, () => {
    const lines = readText("README.md").trimEnd().split("\n").length;
    assert.ok(lines <= MAX_LINES, `it has ${lines}: move text to a page of docs/`);
  });
});

describe("docs/README.md", () => {
  it("links to every page of docs/", () => {
    const pages = committedFiles()
      .filter((path) => /^docs\/.*\.md$/.test(path) && path !== "docs/README.md");
    assert.ok(pages.length >= 20, `only ${pages.length} pages`);
    assert.deepEqual(missingFrom(readText("docs/README.md"), pages), []);
  });

  it("is seen to leave a page out", () => {
    assert.deepEqual(missingFrom("[A](a.md)", ["docs/a.md", "docs/b.md"]), ["docs/b.md"]);
  });
});
