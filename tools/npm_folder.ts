/**
 * Installs packages for comparison into a separate folder. Users and tests of Atlast do not need them.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FILE = "package.json";

/**
 * Installs the packages of `source` into `folder` at the first call, and returns `folder`.
 *
 * @param source The folder that has the `package.json`.
 */
export function installed(source: string, folder: string): string {
  const isThere = existsSync(join(folder, "node_modules")) &&
    readFileSync(join(folder, FILE), "utf8") === readFileSync(join(source, FILE), "utf8");
  if (isThere) return folder;
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(source, FILE), join(folder, FILE));
  const { status } = spawnSync("npm", [
    "install",
    "--no-package-lock",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) {
    throw new Error(`Cannot install the packages of ${source}: npm ended with ${status}`);
  }
  return folder;
}
