/**
 * The folder of a crash run, with the data of all its servers. A run that was killed leaves its folder and its
 * servers; the next run removes both.
 *
 * @module
 */
import { chmodSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { killProcesses, signalProcess } from "../processes.ts";
import { unmountWithin } from "./tmpfs.ts";

/** The process id of the run is in the name. */
const NAME = /^atlast-crash-(\d+)-/;

/** Makes a folder for this run that every user of this machine may enter. */
export function makeRunFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), `atlast-crash-${process.pid}-`));
  chmodSync(folder, 0o755);
  return folder;
}

/** Unmounts what is mounted in a folder, and deletes it. */
export function removeRunFolder(folder: string): void {
  unmountWithin(folder);
  rmSync(folder, { recursive: true, force: true });
}

/** Ends the servers of runs that were killed, and deletes their folders; returns these. */
export async function removeDeadRuns(): Promise<string[]> {
  const dead = readdirSync(tmpdir()).flatMap((name) => {
    const [, pid] = NAME.exec(name) ?? [];
    return pid === undefined || isRunning(Number(pid)) ? [] : [join(tmpdir(), name)];
  });
  for (const folder of dead) {
    await killProcesses(processesIn(folder));
    removeRunFolder(folder);
  }
  return dead;
}

function isRunning(pid: number): boolean {
  try {
    return signalProcess(pid, 0);
  } catch {
    // It is someone else's.
    return true;
  }
}

/** The processes whose working directory is in a folder, as that of each server is; none where the system does not say. */
function processesIn(folder: string): number[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) =>
      workingDirectoryOf(name)?.startsWith(`${folder}/`) ? [Number(name)] : []
    );
  } catch {
    return [];
  }
}

function workingDirectoryOf(pid: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    // It has ended, or belongs to someone else.
    return null;
  }
}
