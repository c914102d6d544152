/**
 * The repository's own files, for the tests that hold its laws.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where the repository is. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** The TypeScript files of the published package, as paths in the repository. */
export function shippedFiles(): string[] {
  return globSync("{mod.ts,ports.ts,{core,bus,http,adapters,edge,client,devtools}/**/*.ts}", {
    cwd: ROOT,
  })
    .map((path) => path.replaceAll("\\", "/"))
    .sort();
}

/** What is committed or would be: everything git does not ignore. */
export function committedFiles(): string[] {
  const git = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (git.status !== 0) throw new Error(`Cannot list the repository's files: ${git.stderr}`);
  // A file that was just deleted is still in git's list.
  return git.stdout.split("\0").filter((path) => path !== "" && existsSync(ROOT + path));
}

/** The text of a file of the repository. */
export function readText(path: string): string {
  return readFileSync(ROOT + path, "utf8");
}
