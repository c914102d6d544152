/**
 * Whether programs of the machine are there.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";

/**
 * Why a suite that needs these programs cannot run here; null if it can. With `CI=true` it runs, and
 * fails where one is missing.
 */
export function lacksPrograms(...programs: readonly string[]): string | null {
  if (process.env["CI"] === "true") return null;
  const missing = programs.filter((each) => spawnSync(each, ["--version"]).error !== undefined);
  return missing.length === 0 ? null : `${missing.join(" and ")} not installed`;
}
