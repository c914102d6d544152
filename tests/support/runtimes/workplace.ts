/**
 * The examples as a user has them: copied to a folder of their own, with the package installed from the
 * tarball that `deno task npm` makes of this checkout, and built by their own build script. Made once for
 * each state of the sources, whatever the number of test files that ask for it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import deno from "../../../deno.json" with { type: "json" };
import { ROOT, shippedFiles } from "../repository.ts";
import { packed, writePackage } from "../../../tools/npm/write.ts";
import { run } from "./program.ts";

/** The folders of the examples that a user copies. */
const FOLDERS = ["shop", "cloudflare", "bun", "node"];
const HERE = join(ROOT, ".tmp/runtimes");
const NPM_INSTALL = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];

/** The Bun that the tests run on. */
const BUN = "bun@1.4.5";

let made: Promise<string> | null = null;
let bun: Promise<string> | null = null;

/** Where the examples are, ready to run. */
export function workplace(): Promise<string> {
  return made ??= makeWorkplace();
}

/** Where Bun is: npm brings it, and keeps it. */
export function bunPath(): Promise<string> {
  return bun ??= findBun();
}

async function makeWorkplace(): Promise<string> {
  const place = join(HERE, stateOfSources());
  mkdirSync(HERE, { recursive: true });
  using lock = await Deno.open(join(HERE, "lock"), { create: true, write: true });
  await lock.lock(true);
  if (!existsSync(place)) {
    for (const old of globSync("*/", { cwd: HERE })) {
      rmSync(join(HERE, old), { recursive: true, force: true });
    }
    await make(`${place}.new`);
    renameSync(`${place}.new`, place);
  }
  return place;
}

async function findBun(): Promise<string> {
  const script = "console.log(`bun at ${process.execPath}`)";
  const args = ["--prefer-offline", "-y", BUN, "-e", script];
  const output = await run({ command: "npx", args, cwd: ROOT });
  const path = /^bun at (.*)$/m.exec(output)?.[1];
  if (path === undefined) throw new Error(`npx did not say where Bun is:\n${output}`);
  return path;
}

async function make(place: string): Promise<void> {
  for (const folder of FOLDERS) {
    cpSync(join(ROOT, "examples", folder), join(place, folder), { recursive: true });
  }
  const folder = join(place, "package");
  writePackage(folder, null);
  // What the tests bring along. A user installs the peers of the entries that they import.
  const { "fast-check": check, "@upstash/redis": redis, croner } = deno.imports;
  const others = [check, redis, croner].map((name) => name.replace("npm:", ""));
  const packages = [packed(folder, place), ...others];
  await run({ command: "npm", args: [...NPM_INSTALL, ...packages], cwd: join(place, "shop") });
  await run({ command: "npm", args: NPM_INSTALL, cwd: join(place, "node") });
  await run({ command: "npm", args: ["run", "build"], cwd: join(place, "node") });
}

function stateOfSources(): string {
  const hash = createHash("sha256").update(JSON.stringify(deno));
  const tools = globSync("tools/npm/*.ts", { cwd: ROOT }).sort();
  const examples = globSync(`examples/{${FOLDERS.join()}}/**/*`, { cwd: ROOT, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  // The simulator is exported from the tests.
  const simulator = globSync("tests/{simulation,support}/**/*.ts", { cwd: ROOT }).sort();
  const sources = [...shippedFiles(), ...simulator, ...tools].map((path) => join(ROOT, path));
  for (const path of [...sources, ...examples.sort()]) {
    hash.update(path).update(readFileSync(path));
  }
  return hash.digest("hex").slice(0, 16);
}
