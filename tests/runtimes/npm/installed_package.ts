/**
 * The npm package of this checkout, installed with npm into a folder with nothing but what is named.
 *
 * @module
 */
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { packed, writePackage } from "../../../tools/npm/write.ts";
import { run } from "../../support/runtimes/program.ts";
import { skipFor } from "../../support/skip.ts";

/** A folder with the package in it. */
export interface InstalledPackage {
  readonly folder: string;
  readonly tarball: string;
}

/** Packs this checkout, and installs it beside the packages that are named, in an empty folder. */
export async function installedPackage(...others: readonly string[]): Promise<InstalledPackage> {
  const place = mkdtempSync(join(tmpdir(), "atlast-npm-"));
  writePackage(join(place, "package"), null);
  const tarball = packed(join(place, "package"), place);
  const folder = join(place, "project");
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const args = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
  await run({ command: "npm", args: [...args, tarball, ...others], cwd: folder });
  if (!existsSync(join(folder, "node_modules/@atlast/bus"))) throw new Error("npm did not install");
  return { folder, tarball };
}

/** What it gives, or why npm cannot give it here. With `CI=true` it must. */
export async function orSkip<Value>(
  make: () => Promise<Value>,
): Promise<{ readonly value: Value; readonly skip: false } | { readonly skip: string }> {
  try {
    return { value: await make(), skip: false };
  } catch (error) {
    if (process.env["CI"] === "true") throw error;
    return { skip: skipFor(`npm cannot be used: ${String(error).replaceAll("\n", " ")}`) };
  }
}
