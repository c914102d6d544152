import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { anchorsOf, deadLinks, stalePaths } from "../../tools/laws/links.ts";
import { committedFiles, readText } from "../support/repository.ts";

const FILES = committedFiles();
/** Every file and every folder above one. */
const PATHS = new Set(FILES.flatMap((path) => {
  const parts = path.split("/");
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}));
const PAGES = new Map(
  FILES
    .filter((path) => path.endsWith(".md") && (path.startsWith("docs/") || !path.includes("/")))
    .map((path) => [path, readText(path)]),
);

/** What links of one page lead nowhere, where only `others` exist beside it. */
function problems(markdown: string, others: Readonly<Record<string, string>> = {}): string[] {
  const pages = new Map([["docs/page.md", markdown], ...Object.entries(others)]);
  return deadLinks(pages, (path) => pages.has(path)).map(({ problem }) => problem);
}

describe("links in the documentation", () => {
  it("covers the pages at the top and those of docs/", () => {
    for (const path of ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/threat-model.md"]) {
      assert.ok(PAGES.has(path), path);
    }
  });

  it("all lead to a file, and to a heading of it", () => {
    const dead = deadLinks(PAGES, (path) => PATHS.has(path))
      .map(({ page, target, problem }) => `${page}: ${target}: ${problem}`);
    assert.deepEqual(dead, []);
  });
});

describe("paths in the documentation", () => {
  it("are those of files and folders that there are", () => {
    // The changelog speaks of what was.
    const current = new Map([...PAGES].filter(([page]) => page !== "CHANGELOG.md"));
    const stale = stalePaths(current, (path) => PATHS.has(path))
      .map(({ page, target }) => `${page}: ${target}`);
    assert.deepEqual(stale, []);
  });
});

describe("the check of links", () => {
  it("finds a file that is not there", () => {
    assert.deepEqual(problems("See [that](other.md)."), ["there is no docs/other.md"]);
    assert.deepEqual(problems("[that]: ../gone.md"), ["there is no gone.md"]);
    assert.deepEqual(problems("[that](../../gone.md)"), ["leads out of the repository"]);
  });

  it("finds a heading that is not there, in the same page and in another", () => {
    const other = { "docs/other.md": "# Other\n\n## A `few` words, said\n" };
    assert.deepEqual(problems("# Page\n\n[a](#page) [b](#paage)"), [
      "docs/page.md has no heading #paage",
    ]);
    assert.deepEqual(problems("[a](other.md#a-few-words-said) [b](other.md#a-few)", other), [
      "docs/other.md has no heading #a-few",
    ]);
  });

  it("counts headings of the same name, as GitHub does", () => {
    assert.deepEqual([...anchorsOf("# One\n\n## One\n\n## One two\n")], [
      "one",
      "one-1",
      "one-two",
    ]);
  });

  it("finds the path of a file that is not there", () => {
    const page = "`core/errors.ts`, `core/`, `core/gone.ts`, `order.placed`, `deno task test`";
    const stale = stalePaths(
      new Map([["docs/page.md", page]]),
      (path) => ["core", "core/errors.ts"].includes(path),
    );
    assert.deepEqual(stale.map(({ target }) => target), ["core/gone.ts"]);
  });

  it("leaves code, comments and other sites alone", () => {
    const page =
      "`[a](b.md)` [web](https://example.com/x)\n\n```md\n[a](b.md)\n# No\n```\n\n<!-- [a](b.md) -->";
    assert.deepEqual(problems(page), []);
    assert.deepEqual([...anchorsOf(page)], []);
  });
});
