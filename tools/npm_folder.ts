/**
 * Packages in a folder of their own, for comparison: no one who uses or tests Atlast installs them.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FILE = "package.json";

/**
 * Installs what `source` lists into `folder` if that was not done, and gives back `folder`.
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
