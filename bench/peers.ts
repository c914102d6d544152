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
const FILE = "package.json";

/** Installs them if that was not done, and says where they are. */
export function installPeers(): string {
  const isThere = existsSync(join(FOLDER, "node_modules")) &&
    readFileSync(join(FOLDER, FILE), "utf8") === readFileSync(join(SOURCE, FILE), "utf8");
  if (isThere) return FOLDER;
  mkdirSync(FOLDER, { recursive: true });
  copyFileSync(join(SOURCE, FILE), join(FOLDER, FILE));
  // With a configuration of its own Deno reads this folder's node_modules.
  writeFileSync(peersConfig(FOLDER), `{ "nodeModulesDir": "manual", "lock": false }\n`);
  const { status } = spawnSync("npm", [
    "install",
    "--no-package-lock",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ], {
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
