import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Duplicate,
  EXCEPTIONS,
  findDuplicates,
  judgeDuplicates,
  MIN_TOKENS,
} from "../../tools/laws/duplicates.ts";
import { committedFiles, readText } from "../support/repository.ts";

const CHECKED =
  /^(mod|ports)\.ts$|^(core|bus|http|adapters|edge|client|devtools|bench|tools)\/.*\.ts$/;

/** Sixty tokens on twelve lines: `use(0);`, `use(1);` and so on. */
const CALLS = calls(60 / 5);

function calls(count: number): string {
  return Array.from({ length: count }, (_, i) => `use(${i});\n`).join("");
}

/** The duplicates in files, as text. */
function found(files: Readonly<Record<string, string>>): string[] {
  return findDuplicates(new Map(Object.entries(files))).map(describeDuplicate);
}

function describeDuplicate({ places, tokens }: Duplicate): string {
  const [first, again] = places.map(({ path, firstLine, lastLine }) =>
    `${path}:${firstLine}-${lastLine}`
  );
  return `${first} and ${again}: ${tokens} tokens`;
}

describe("the law of duplicates", () => {
  it("refuses equal tokens in two files, whatever the white space and comments between them", () => {
    const other = CALLS.replaceAll("(", " ( ").replaceAll(";\n", "; /* other */\n\n// words\n");
    assert.deepEqual(found({ "a.ts": `one();\n${CALLS}`, "b.ts": `${other}two();\n` }), [
      "a.ts:2-13 and b.ts:1-34: 60 tokens",
    ]);
    assert.deepEqual(found({ "a.ts": CALLS, "b.ts": CALLS.replaceAll("\n", " ") }), [
      "a.ts:1-12 and b.ts:1-1: 60 tokens",
    ]);
  });

  it("refuses them in one file, and each further copy", () => {
    assert.deepEqual(found({ "a.ts": `${CALLS}one();\n${CALLS}`, "b.ts": CALLS }), [
      "a.ts:1-12 and a.ts:14-25: 60 tokens",
      "a.ts:1-12 and b.ts:1-12: 60 tokens",
    ]);
  });

  it("does not count the comma that a line break brings", () => {
    const list = Array.from({ length: 30 }, (_, i) => i);
    const files = { "a.ts": `f([${list.join(", ")}]);`, "b.ts": `f([\n${list.join(",\n")},\n]);` };
    assert.deepEqual(found(files), ["a.ts:1-1 and b.ts:1-32: 65 tokens"]);
  });

  it(`lets pass fewer than ${MIN_TOKENS} tokens, also at the end of one file and the start of the next`, () => {
    const half = calls(MIN_TOKENS / 10);
    assert.deepEqual(found({ "a.ts": `${half}${half}`, "b.ts": half, "c.ts": half }), []);
    assert.equal(found({ "a.ts": calls(MIN_TOKENS / 5), "b.ts": calls(MIN_TOKENS / 5) }).length, 1);
    assert.deepEqual(
      found({ "a.ts": `one();\n${CALLS}`, "b.ts": CALLS.replace("(5)", "(five)") }),
      [],
    );
  });

  it("lets pass imports, exports of another file's names, and license headers", () => {
    const license = `/*\n${
      " * Permission is granted to each person who has a copy.\n".repeat(12)
    } */\n`;
    const imports = Array.from(
      { length: 12 },
      (_, i) =>
        [
          `import { a${i}, type B${i} } from "./c.ts";`,
          `import type {\n  C${i},\n  D${i},\n} from "./d.ts";`,
          `import * as e${i} from "e";`,
          `import f${i} from "./f.json" with { type: "json" };`,
          `import "./g${i}.ts";`,
          `export { h${i} } from "./h.ts";`,
        ].join("\n"),
    ).join("\n");
    const header = `${license}${imports}\n`;
    assert.deepEqual(found({ "a.ts": `${header}one();\n`, "b.ts": `${header}two();\n` }), []);
    // What follows them counts, and keeps its lines.
    assert.deepEqual(found({ "a.ts": `${header}${CALLS}`, "b.ts": CALLS }), [
      "a.ts:123-134 and b.ts:1-12: 60 tokens",
    ]);
  });

  it("lets an exception allow one duplicate, and refuses one that allows none", () => {
    const files = { "a.ts": CALLS, "b.ts": `${CALLS}one();\n${CALLS}` };
    const duplicates = findDuplicates(new Map(Object.entries(files)));
    const used = { paths: ["b.ts", "a.ts"], reason: "Two tables" } as const;
    const stale = { paths: ["b.ts", "c.ts"], reason: "There was one once" } as const;
    const { refused, unused } = judgeDuplicates(duplicates, [used, stale]);
    assert.deepEqual(refused.map(describeDuplicate), ["a.ts:1-12 and b.ts:14-25: 60 tokens"]);
    assert.deepEqual(unused, [stale]);
  });

  it("holds in what is shipped, the benchmarks and the tools", () => {
    const paths = committedFiles().filter((path) => CHECKED.test(path)).sort();
    const files = new Map(paths.map((path) => [path, readText(path)]));
    const { refused, unused } = judgeDuplicates(findDuplicates(files), EXCEPTIONS);
    assert.deepEqual(refused.map(describeDuplicate), []);
    assert.deepEqual(unused, []);
  });
});
