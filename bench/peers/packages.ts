/**
 * The packages of peers, in a folder of their own: no one who uses or tests Atlast installs them.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installed } from "../../tools/npm_folder.ts";

const SOURCE = fileURLToPath(new URL("./", import.meta.url));
const FOLDER = fileURLToPath(new URL("../../.tmp/bench-peers/", import.meta.url));
const FILE = "package.json";

/** Installs them if that was not done, and says where they are. */
export function installPeers(): string {
  installed(SOURCE, FOLDER);
  // With a configuration of its own Deno reads this folder's node_modules.
  writeFileSync(peersConfig(FOLDER), `{ "nodeModulesDir": "manual", "lock": false }\n`);
  return FOLDER;
}

/** Deno's configuration for processes that run peers. */
export function peersConfig(folder: string): string {
  return join(folder, "deno.json");
}

/** The version of an installed package. */
export function versionOf(folder: string, name: string): string {
  const text = readFileSync(join(folder, "node_modules", name, FILE), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
