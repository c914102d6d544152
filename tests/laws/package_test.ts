import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { describe, it } from "node:test";
import deno from "../../deno.json" with { type: "json" };
import { ADAPTERS, packagesOf, roomOf } from "../../tools/laws/imports.ts";
import { committedFiles, readText, ROOT, shippedFiles } from "../support/repository.ts";

/**
 * A file longer than this has taken on a second idea. The target is half of it; this is where a
 * reviewer would refuse.
 */
const MAX_LINES = 400;

/** The npm packages that importing a file brings along, by name. */
function packagesBroughtBy(entry: string): string[] {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["info", "--json", entry], {
    cwd: ROOT,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  const { modules } = JSON.parse(stdout) as { modules: { kind: string; specifier: string }[] };
  const packages = modules
    .map(({ specifier }) => /^npm:\/?(@?[^@]+)@/.exec(specifier)?.[1])
    .filter((name) => name !== undefined);
  return [...new Set(packages)].sort();
}

/** The packages of an entry that is exported from the tests, whose files no law of imports is for. */
const OF_TESTS: Readonly<Record<string, readonly string[]>> = {
  "tests/simulation/mod.ts": ["zod"],
};

function allowedPackages(entry: string): readonly string[] {
  const ofTests = OF_TESTS[entry];
  if (ofTests !== undefined) return ofTests;
  const room = roomOf(entry);
  const others = room.kind === "adapter" ? ADAPTERS[room.name]?.others ?? [] : [];
  return [...packagesOf(room), ...others.flatMap((name) => ADAPTERS[name]?.drivers ?? [])];
}

describe("the package", () => {
  for (const [name, file] of Object.entries(deno.exports)) {
    const path = file.replace("./", "");

    it(`export ${name} exists, and the import map leads to it`, () => {
      assert.ok(existsSync(ROOT + path), `${path} is missing`);
      const imports: Record<string, string> = deno.imports;
      assert.equal(imports[name.replace(".", deno.name)], file);
    });

    it(`export ${name} brings along no package but its own`, () => {
      const allowed = allowedPackages(path);
      assert.deepEqual(packagesBroughtBy(path).filter((found) => !allowed.includes(found)), []);
    });
  }

  it("has no file that is too long", () => {
    const long = shippedFiles().filter((path) => readText(path).split("\n").length > MAX_LINES + 1);
    assert.deepEqual(long, []);
  });

  it("sees a package that is brought along", () => {
    assert.ok(packagesBroughtBy("tests/support/postgres.ts").includes("postgres"));
  });
});

describe("the repository", () => {
  // Put together from parts, so that this file does not break its own law.
  const machine = new RegExp(
    String.raw`(^|[\s"'\`(=,])(/(home|root|Users|work)/|[A-Z]:\\\\Users)`,
    "m",
  );
  const registry = new RegExp(["registry[.]npm", "npm[.]jsr", "registry[.]yarn"].join("|"), "i");
  const texts = committedFiles()
    .filter((path) =>
      /\.(ts|tsx|js|json|jsonc|md|lock|yml|yaml|sh|toml|html|sql)$|^\.ci\//.test(path)
    )
    .map((path) => ({ path, text: readText(path) }));

  it("names no package registry", () => {
    assert.deepEqual(texts.filter(({ text }) => registry.test(text)).map(({ path }) => path), []);
    assert.match("https://registry" + ".npmjs.org/hono", registry);
  });

  it("gives a reason with every rule it ignores", () => {
    const ignore = new RegExp(["deno-lint", "ignore(?!.* -- .*\\w)"].join("-"));
    const code = texts.filter(({ path }) => path.endsWith(".ts"));
    assert.deepEqual(code.filter(({ text }) => ignore.test(text)).map(({ path }) => path), []);
    assert.match("// deno-lint" + "-ignore no-explicit-any", ignore);
    assert.doesNotMatch("// deno-lint" + "-ignore no-explicit-any -- for a reason", ignore);
  });

  it("names no place of one machine", () => {
    assert.deepEqual(texts.filter(({ text }) => machine.test(text)).map(({ path }) => path), []);
    for (const path of ["root", "work", "home"]) assert.match(`cd /${path}/me`, machine);
    assert.doesNotMatch("https://example.com/work/1", machine);
  });
});
