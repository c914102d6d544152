/**
 * Writes the npm package into a folder, and packs it.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import deno from "../../deno.json" with { type: "json" };
import { translated } from "./files.ts";
import { manifestOf, missingPeers } from "./manifest.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What comes along as it is. */
const COPIED = ["README.md", "LICENSE", "CHANGELOG.md", "docs"];

/**
 * Writes the package, in place of what is in the folder.
 *
 * @param repository The address of the repository; null leaves it out.
 */
export function writePackage(folder: string, repository: string | null): void {
  const { files, packages } = translated(ROOT, Object.values(deno.exports));
  const missing = missingPeers(packages);
  if (missing.length > 0) {
    throw new Error(`Cannot make the npm package: ${missing.join(", ")} must be in PEERS`);
  }
  rmSync(folder, { recursive: true, force: true });
  for (const [path, text] of files) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  for (const path of COPIED) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  const manifest = JSON.stringify(manifestOf(deno, repository), null, 2);
  writeFileSync(join(folder, "package.json"), `${manifest}\n`);
}

/** Packs the package in the folder, and returns the path of the tarball, which is put into `into`. */
export function packed(folder: string, into: string): string {
  mkdirSync(into, { recursive: true });
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", into];
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot pack ${folder}: npm ended with ${status}\n${stderr}`);
  const [tarball] = JSON.parse(stdout) as { filename: string }[];
  if (tarball === undefined) throw new Error(`npm packed nothing:\n${stdout}`);
  return join(into, tarball.filename);
}
