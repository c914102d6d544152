/**
 * Our bundles, made by a process of its own: esbuild leaves some of itself behind, which counts as leaked.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bundled } from "../../tools/bundle/bundle.ts";
import { ownPackages } from "../../tools/bundle/packages.ts";
import { OWN } from "../../tools/bundle/programs.ts";
import { ROOT } from "./repository.ts";

/** What is known of a bundle. */
export interface Measured {
  readonly name: string;
  readonly gzipBytes: number;
  /** The files that something of is in it. */
  readonly files: string[];
}

/** Bundles every program of ours. */
export function measuredBundles(): Measured[] {
  const { status, stdout, stderr } = spawnSync(process.execPath, [
    "run",
    "-A",
    "--no-check",
    fileURLToPath(import.meta.url),
  ], { cwd: ROOT, encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot bundle: ${stderr}`);
  return JSON.parse(stdout);
}

if (import.meta.main) {
  const packages = ownPackages();
  const all = OWN.map(({ name, source }): Measured => {
    const { gzipBytes, files } = bundled(source, packages);
    return { name, gzipBytes, files: [...files.keys()] };
  });
  console.log(JSON.stringify(all));
}
