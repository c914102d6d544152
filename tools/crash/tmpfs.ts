/**
 * Mounts folders in memory.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** Mounts a tmpfs within a folder; returns the reason if it cannot. */
export function mountTmpfs(
  parent: string,
  bytes: number,
): { readonly folder: string } | { readonly refusal: string } {
  if (process.getuid?.() !== 0) return { refusal: "only root may mount a tmpfs" };
  const folder = mkdtempSync(join(parent, "tmpfs-"));
  const refusal = mount(["-t", "tmpfs", "-o", `size=${bytes},mode=755`, "tmpfs", folder]);
  if (refusal === null) return { folder };
  rmSync(folder, { recursive: true });
  return { refusal };
}

/** Gives a tmpfs another size; returns the reason if it cannot. */
export function resizeTmpfs(folder: string, bytes: number): string | null {
  return mount(["-o", `remount,size=${bytes}`, folder]);
}

/** Unmounts everything within a folder. */
export function unmountWithin(folder: string): void {
  for (const line of mounts()) {
    const at = line.split(" ")[1];
    if (at?.startsWith(`${folder}/`)) spawnSync("umount", ["--lazy", at]);
  }
}

/** What is mounted; nothing where the system does not say. */
function mounts(): string[] {
  try {
    return readFileSync("/proc/self/mounts", "utf8").split("\n");
  } catch {
    return [];
  }
}

function mount(args: readonly string[]): string | null {
  const { status, stderr, error } = spawnSync("mount", [...args], { encoding: "utf8" });
  return status === 0 ? null : String(error ?? stderr).trim();
}
