/**
 * Installs the packages of the peers in a folder of their own, so that users and tests of Atlast do not
 * install them, and loads them from there.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installed } from "../../tools/npm_folder.ts";

const SOURCE = fileURLToPath(new URL("./", import.meta.url));
const FOLDER = fileURLToPath(new URL("../../.tmp/bench-peers/", import.meta.url));
const FILE = "package.json";

/** Installs the packages unless they are there, and returns their folder. */
export function installPeers(): string {
  installed(SOURCE, FOLDER);
  // With a configuration in this folder, Deno reads its node_modules.
  writeFileSync(denoConfigOf(FOLDER), `{ "nodeModulesDir": "manual", "lock": false }\n`);
  return FOLDER;
}

/** The path of Deno's configuration for workers that run a peer. */
export function denoConfigOf(folder: string): string {
  return join(folder, "deno.json");
}

/** The version of an installed package. */
export function installedVersion(folder: string, name: string): string {
  const text = readFileSync(join(folder, "node_modules", name, FILE), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Loads a package. `Module` is the part of it that the caller uses: its types are not installed. */
export function requirePeer<Module>(folder: string | null, name: string): Module {
  return createRequire(`${folder}/${FILE}`)(name) as Module;
}
