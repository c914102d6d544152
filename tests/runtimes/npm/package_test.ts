/**
 * The npm package: what it says of itself, what it brings along, and that it works where it is installed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { cpSync, globSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { build, stop } from "esbuild";
import deno from "../../../deno.json" with { type: "json" };
import { installed } from "../../../tools/npm_folder.ts";
import { manifestOf, missingPeers, PEERS } from "../../../tools/npm/manifest.ts";
import { ROOT } from "../../support/repository.ts";
import { run } from "../../support/runtimes/program.ts";
import { bunPath } from "../../support/runtimes/workplace.ts";
import { installedPackage, orSkip } from "./installed_package.ts";
import { ALONE, ENTRIES, loading, PROGRAM, typesOf } from "./programs.ts";

const MAX_BYTES = 10_000_000;
const MAX_PACKAGES = 5;

/** Prints the problems that publint and Are The Types Wrong find in the tarball at process.argv[1]. */
const CHECKS = `
import { readFileSync } from "node:fs";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
const data = readFileSync(process.argv[1]);
const { messages, pkg } = await publint({ pack: { tarball: data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) } });
for (const each of messages) console.log("publint:", each.type, formatMessage(each, pkg));
const { problems } = await checkPackage(createPackageFromTarballData(data));
for (const { kind, ...rest } of problems) console.log("types:", kind, JSON.stringify(rest));
console.log("checked");
`;

describe("the manifest of the npm package", () => {
  const manifest = manifestOf(deno, "https://example.com/atlast.git");

  it("has every entry of deno.json, with its types first", () => {
    for (const name of Object.keys(deno.exports)) {
      const conditions = manifest.exports[name];
      assert.ok(typeof conditions === "object", name);
      assert.deepEqual(Object.keys(conditions), ["types", "default"], name);
    }
  });

  it("has no dependency, and only optional peers", () => {
    assert.equal(manifest["dependencies"], undefined);
    const optional = manifest["peerDependenciesMeta"] as Record<string, { optional: boolean }>;
    assert.deepEqual(Object.keys(optional), PEERS);
    assert.deepEqual(Object.keys(manifest.peerDependencies), PEERS);
    assert.equal(manifest.peerDependencies["postgres"], "^3.4.0");
    assert.ok(Object.values(optional).every((peer) => peer.optional));
  });

  it("names its repository, its license and the oldest Node", () => {
    const { repository, license, engines } = manifest;
    assert.deepEqual(repository, { type: "git", url: "https://example.com/atlast.git" });
    assert.deepEqual([license, engines], ["MIT", { node: ">=20" }]);
  });

  it("misses no peer", () => {
    assert.deepEqual(missingPeers(["node:fs", "hono/tiny", "@upstash/redis/cloudflare"]), []);
    assert.deepEqual(missingPeers(["@x/y/z", "left-pad/a", "zod"]), ["@x/y", "left-pad"]);
  });
});

const project = await orSkip(() => installedPackage("postgres"));

describe("the npm package beside postgres, in an empty folder", { skip: project.skip }, () => {
  if (project.skip !== false) return;
  const { folder, tarball } = project.value;
  const home = join(folder, "node_modules/@atlast/bus");

  after(() => rmSync(dirname(folder), { recursive: true, force: true }));

  async function prints(command: string, args: readonly string[], text: RegExp): Promise<void> {
    assert.match(await run({ command, args, cwd: folder }), text);
  }

  it("brings along no other package, and little", () => {
    const files = globSync("node_modules/**/*", { cwd: folder })
      .map((path) => statSync(join(folder, path)))
      .filter((stat) => stat.isFile());
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    assert.ok(bytes > 500_000 && bytes < MAX_BYTES, `${bytes} bytes`);
    const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8"));
    const packages = Object.entries(lock.packages as Record<string, { peer?: boolean }>)
      .map(([path]) => path.replace("node_modules/", ""))
      .filter((name) => name !== "");
    assert.ok(packages.length <= MAX_PACKAGES, packages.join());
    assert.deepEqual(packages.sort(), ["@atlast/bus", "postgres"]);
  });

  it("has no source map, no test and no address of a source", () => {
    const files = globSync("**/*", { cwd: home }).filter((path) => /\.(js|ts|map)$/.test(path));
    assert.deepEqual(files.filter((path) => /_test\.|\.map$|(?<!\.d)\.ts$/.test(path)), []);
    for (const path of files) {
      const text = readFileSync(join(home, path), "utf8");
      assert.doesNotMatch(text, /sourceMappingURL/, path);
      assert.doesNotMatch(text, /^(?! \*).*(from|import\() ?"\.\.?\/[^"]*\.ts"/m, path);
    }
  });

  it("loads on Node by import and by require", async () => {
    const count = new RegExp(`loaded ${ALONE.length}`);
    for (const by of ["import", "require"] as const) {
      await prints("node", ["--no-warnings", "-e", loading(ALONE, by)], count);
    }
  });

  it("names the package that an entry lacks", async () => {
    const lacking = loading(["@atlast/bus/qstash"], "import");
    await assert.rejects(
      run({ command: "node", args: ["-e", lacking], cwd: folder }),
      /Cannot find package '@upstash\/qstash'/,
    );
  });

  it("works on Node, Bun and Deno", async () => {
    writeFileSync(join(folder, "main.mjs"), PROGRAM);
    await prints("node", ["main.mjs"], /^handled 7$/m);
    await prints(await bunPath(), ["main.mjs"], /^handled 7$/m);
    const args = ["run", "--allow-all", "--node-modules-dir=manual", "main.mjs"];
    await prints(process.execPath, args, /^handled 7$/m);
  });

  it("works bundled by esbuild, which drops what is not used", async () => {
    const outfile = join(folder, "bundle.mjs");
    writeFileSync(join(folder, "main.mjs"), PROGRAM);
    const { warnings } = await build({
      entryPoints: [join(folder, "main.mjs")],
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      logLevel: "silent",
    });
    assert.deepEqual(warnings, []);
    await prints("node", ["bundle.mjs"], /^handled 7$/m);
    const used = statSync(outfile).size;
    const unused = await build({
      stdin: { contents: 'import "@atlast/bus"; import "@atlast/bus/http";', resolveDir: folder },
      bundle: true,
      format: "esm",
      platform: "node",
      write: false,
      logLevel: "silent",
    });
    await stop();
    assert.ok(unused.outputFiles[0]!.contents.length < 100, `of ${used} bytes not all dropped`);
  });

  it("satisfies publint and Are The Types Wrong", { timeout: 180_000 }, async () => {
    const args = ["--input-type=module", "-e", CHECKS, tarball];
    const lines = (await run({ command: "node", args, cwd: tools() })).split("\n");
    // ES modules only: Node's `require` loads them from 20.19 on, and older ones say what to do. Node 10's way of
    // resolution does not know exports. The simulator, an entry, is in the folder of the tests.
    const expected = /^types: (CJSResolvesToESM|NoResolution .*"node10")|^publint: .*\/tests\//;
    assert.deepEqual(lines.filter((line) => line !== "" && !expected.test(line)), ["checked"]);
  });

  it("has types that a strict project checks with the library", { timeout: 180_000 }, async () => {
    writeFileSync(join(folder, "types.mts"), typesOf(ENTRIES));
    const home = join(tools(), "node_modules");
    // The types of the edge app name Hono's, which its users have.
    cpSync(join(home, "hono"), join(folder, "node_modules/hono"), { recursive: true });
    const options = [
      ...["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"],
      ...["--skipLibCheck", "false", "--target", "es2022", "--lib", "es2022"],
      ...["--types", "node", "--typeRoots", join(home, "@types")],
      ...["--module", "nodenext", "--moduleResolution", "nodenext"],
    ];
    const args = [join(home, "typescript/lib/tsc.js"), ...options, "types.mts"];
    assert.equal(await run({ command: "node", args, cwd: folder }), "");
  });
});

function tools(): string {
  return installed(join(ROOT, "tests/runtimes/npm/tools"), join(ROOT, ".tmp/npm-tools"));
}
