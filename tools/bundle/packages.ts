/**
 * Finds or installs the packages that are bundled.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
// So that Deno has it in its cache, even if nothing else imported it yet.
import "hono/tiny";
import { installed } from "../npm_folder.ts";

const OWN = fileURLToPath(new URL("../../.tmp/bundle/node_modules/", import.meta.url));
const PEERS = fileURLToPath(new URL("./peers/", import.meta.url));
const PEERS_FOLDER = fileURLToPath(new URL("../../.tmp/bundle-peers/", import.meta.url));

/** A folder with hono, the only package in the bundle, in the version of the lock file. */
export function ownPackages(): string {
  mkdirSync(OWN, { recursive: true });
  const link = join(OWN, "hono");
  rmSync(link, { force: true });
  symlinkSync(folderOf("hono"), link, "dir");
  return OWN;
}

/** A folder with the packages for comparison; npm installs them at the first call. */
export function peerPackages(): string {
  return join(installed(PEERS, PEERS_FOLDER), "node_modules");
}

/** The folder in which Deno stores a package. */
function folderOf(name: string): string {
  const entry = createRequire(import.meta.url).resolve(name);
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (existsSync(file) && JSON.parse(readFileSync(file, "utf8")).name === name) return folder;
  }
  throw new Error(`Cannot find the folder of ${name}, which has ${entry}`);
}
