import assert from "node:assert/strict";
import { describe, it } from "node:test";
import deno from "../../deno.json" with { type: "json" };
import { circlesOf, readModule, unusedExports } from "../../tools/laws/modules.ts";
import { committedFiles, readText, shippedFiles } from "../support/repository.ts";

const read = (path: string) => readModule(path, readText(path));
const shipped = shippedFiles().map(read);
/** Tests, tools, benchmarks and examples. */
const others = committedFiles()
  .filter((path) => path.endsWith(".ts") && shipped.every((module) => module.path !== path))
  .map(read);
/** How many files may stand in `bus` itself: the wiring of its parts, and no part. */
const MAX_IN_BUS = 8;

describe("the law of circles", () => {
  const modules = (files: Record<string, string>) =>
    Object.entries(files).map(([path, text]) => readModule(path, text));

  it("refuses files that import each other, also by types, and through others", () => {
    const forms = [
      `import { b } from "./b.ts";`,
      `import type { B } from "./b.ts";`,
      `export { b } from "./b.ts";`,
      `import * as all from "./b.ts";`,
      `import "./b.ts";`,
      `type B = import("./b.ts").B;`,
    ];
    for (const form of forms) {
      const circle = { "x/a.ts": form, "x/b.ts": `import { c } from "../y/c.ts";` };
      assert.deepEqual(
        circlesOf(modules({ ...circle, "y/c.ts": `import type { A } from "../x/a.ts";` })),
        [["x/a.ts", "x/b.ts", "y/c.ts"]],
        form,
      );
      assert.deepEqual(circlesOf(modules({ ...circle, "y/c.ts": "" })), [], form);
    }
  });

  it("does not take an example in a comment for an import", () => {
    const text = `/**\n * import { b } from "./b.ts";\n */\nexport const a = 1;\n`;
    assert.deepEqual(readModule("a.ts", text).imports, []);
  });

  it("holds in the package", () => {
    assert.deepEqual(circlesOf(shipped), []);
  });
});

describe("the law of unused exports", () => {
  it("refuses what nobody imports and no entry exports", () => {
    const modules = [
      readModule("mod.ts", `export { a } from "./x.ts";\nexport type T = 1;\n`),
      readModule(
        "x.ts",
        `export const a = 1;\nexport interface B {}\nexport function c() {}\nexport type D = B;\n`,
      ),
      readModule("y.ts", `import { c } from "./x.ts";\n`),
    ];
    assert.deepEqual(unusedExports(modules, ["mod.ts"]), ["x.ts: B", "x.ts: D"]);
  });

  it("holds in the package", () => {
    const entries = Object.values(deno.exports).map((path) => path.replace("./", ""));
    assert.deepEqual(unusedExports(shipped, entries, others), []);
  });
});

/** What is tested as a whole, or helps to test. */
const OTHER_TESTS = [
  "config",
  "conformance",
  "laws",
  "runtimes",
  "simulation",
  "support",
];

describe("the law of the layout", () => {
  it(`leaves no more than ${MAX_IN_BUS} files in bus itself`, () => {
    const files = shipped.filter(({ path }) => /^bus\/[^/]+$/.test(path));
    assert.ok(files.length <= MAX_IN_BUS, files.map(({ path }) => path).join(", "));
  });

  it("finds a test whose folder is none of the source", () => {
    const paths = ["bus/publish/x.ts", "tests/bus/publish/x_test.ts", "tests/laws/y_test.ts"];
    assert.deepEqual(strayTests([...paths, "tests/bus/z/x_test.ts", "tests/unit/x_test.ts"]), [
      "tests/bus/z/x_test.ts",
      "tests/unit/x_test.ts",
    ]);
  });

  it("has each test in the folder that its source is in", () => {
    assert.deepEqual(strayTests(committedFiles()), []);
  });
});

/** The tests whose folder is none of the source. */
function strayTests(paths: readonly string[]): string[] {
  const folders = new Set(paths.flatMap(parentsOf));
  return paths.filter((path) => {
    if (!/^tests\/.*_test\.ts$/.test(path)) return false;
    const folder = path.split("/").slice(1, -1).join("/");
    return !OTHER_TESTS.includes(folder.split("/")[0] ?? "") && !folders.has(folder);
  });
}

/** The folders that a file is in, the innermost first. */
function parentsOf(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, i) => parts.slice(0, parts.length - i).join("/"));
}
