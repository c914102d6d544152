import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const STRICT = fileURLToPath(new URL("../support/strict.ts", import.meta.url));

/** What each program does wrong, the program, and what the run must say of it. */
const FAULTS: readonly (readonly [string, string, RegExp])[] = [
  ["leaks a timer", `test("t", () => { setInterval(() => {}, 1000); });`, /interval was started/],
  ["leaks a listener", `test("t", () => { Deno.listen({ port: 0 }); });`, /TCP listener/],
  [
    "leaks within a group",
    `describe("g", () => { it("t", () => { setInterval(() => {}, 1000); }); });`,
    /interval was started/,
  ],
  [
    "throws in a timer",
    `test("t", () => new Promise((done) => {
      setTimeout(done, 20);
      setTimeout(() => { throw new Error("in a timer"); }, 1);
    }));`,
    /in a timer/,
  ],
  [
    "throws after its first test",
    `test("t", () => {}); throw new Error("at the end");`,
    /at the end/,
  ],
  [
    "loses a rejection in a hook",
    `describe("g", () => {
      before(() => { Promise.reject(new Error("in a hook")); });
      it("t", () => {});
    });`,
    /in a hook/,
  ],
  [
    "loses a rejection as its last act",
    `test("t", () => { Promise.reject(new Error("last act")); });`,
    /last act/,
  ],
  [
    "never ends",
    `describe("g", () => {
      it("t", async () => { await new Promise(() => {}); });
    });
    test("next", () => {});`,
    /next \.\.\. ok[^]*not ended after 1000 ms/,
  ],
  ["exits", `test("t", () => { Deno.exit(0); });`, /exit/],
];

const IMPORTS = `import { after, before, describe, it, test } from "node:test";\n`;

describe("a test run under strict.ts", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "atlast-strict-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Runs a program as a test file. */
  function run(program: string): { code: number | null; output: string } {
    const file = join(folder, "program_test.ts");
    writeFileSync(file, IMPORTS + program);
    const { status, stdout, stderr } = spawnSync(process.execPath, [
      "test",
      "--no-config",
      "--no-check",
      "--allow-all",
      `--preload=${STRICT}`,
      file,
    ], { encoding: "utf8", env: { ...process.env, NO_COLOR: "1", ATLAST_TEST_LIMIT_MS: "1000" } });
    return { code: status, output: stdout + stderr };
  }

  it("passes a program that does nothing wrong", () => {
    const { code, output } = run(`describe("g", () => {
      let listener: Deno.Listener;
      before(() => { listener = Deno.listen({ port: 0 }); });
      after(() => listener.close());
      it("t", async () => { await new Promise((done) => setTimeout(done, 1)); });
    });`);
    assert.equal(code, 0, output);
  });

  for (const [fault, program, sign] of FAULTS) {
    it(`fails a program that ${fault}`, () => {
      const { code, output } = run(program);
      assert.notEqual(code, 0, output);
      assert.match(output, sign);
    });
  }

  it("blames only the test at fault", () => {
    const { output } = run(`
      test("guilty", async () => {
        Promise.reject(new Error("lost"));
        await new Promise((done) => setTimeout(done, 20));
      });
      test("innocent", () => {});`);
    assert.match(output, /guilty \.\.\. FAILED/);
    assert.match(output, /innocent \.\.\. ok/);
    assert.match(output, /program_test\.ts:\d+:\d+/);
  });
});
