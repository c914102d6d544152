/**
 * The processes of this machine.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";

/** A process. */
export interface RunningProcess {
  readonly pid: number;
  /** The process that started it. */
  readonly parent: number;
}

/** All processes, without those that have ended and whose parent has not noticed. */
export function runningProcesses(): RunningProcess[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid=,stat="], { encoding: "utf8" });
  return stdout.trim().split("\n").flatMap((line) => {
    const [pid, parent, state = ""] = line.trim().split(/\s+/);
    return state.startsWith("Z") ? [] : [{ pid: Number(pid), parent: Number(parent) }];
  });
}

/** Sends a signal; false if there is no such process. */
export function signalProcess(pid: number, signal: string | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ESRCH") return false;
    throw error;
  }
}

/** How often it is looked whether killed processes have ended, in milliseconds. */
const LOOK_MS = 10;

/** Kills processes at once; resolves when all have ended. */
export async function killProcesses(pids: readonly number[]): Promise<void> {
  for (const pid of pids) signalProcess(pid, "SIGKILL");
  while (pids.length > 0 && runningProcesses().some(({ pid }) => pids.includes(pid))) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
