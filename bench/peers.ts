/**
 * The packages of peers, in a folder of their own: no one who uses or tests Atlast installs them.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("./peers/", import.meta.url));
const FOLDER = fileURLToPath(new URL("../.tmp/bench-peers/", import.meta.url));
const FILES = ["package.json", "package-lock.json"];

/** Installs them if that was not done, and says where they are. */
export function installPeers(): string {
  const lock = join(FOLDER, "package-lock.json");
  const isThere = existsSync(join(FOLDER, "node_modules")) && existsSync(lock) &&
    readFileSync(lock, "utf8") === readFileSync(join(SOURCE, "package-lock.json"), "utf8");
  if (isThere) return FOLDER;
  mkdirSync(FOLDER, { recursive: true });
  for (const file of FILES) copyFileSync(join(SOURCE, file), join(FOLDER, file));
  // With a configuration of its own Deno reads this folder's node_modules.
  writeFileSync(peersConfig(FOLDER), `{ "nodeModulesDir": "manual", "lock": false }\n`);
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: FOLDER,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error(`Cannot install the peers: npm ended with ${status}`);
  return FOLDER;
}

/** Deno's configuration for processes that run peers. */
export function peersConfig(folder: string): string {
  return join(folder, "deno.json");
}

/** The version of an installed package. */
export function versionOf(folder: string, name: string): string {
  const text = readFileSync(join(folder, "node_modules", name, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
