/**
 * Reads processor time: that of this process, and that of a server with its child processes.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";

/** Ticks a second in the process accounting of every Linux. */
const TICKS_PER_SECOND = 100;

/** Starts a timer. The function that it returns reads this process's processor time since then, in ms. */
export function startProcessorTimer(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
}

/**
 * The processor time of a process and its children in milliseconds, including children that have ended.
 * Null if the process cannot be read: it runs on another machine, or this is not Linux.
 */
export function processorTimeOfTree(pid: number): number | null {
  try {
    const own = readStat(pid);
    let ticks = own.ticks + own.endedChildrenTicks;
    for (const name of readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      const stat = tryReadStat(Number(name));
      if (stat?.parent === pid) ticks += stat.ticks;
    }
    return ticks / TICKS_PER_SECOND * 1000;
  } catch {
    return null;
  }
}

interface Stat {
  readonly parent: number;
  readonly ticks: number;
  readonly endedChildrenTicks: number;
}

function readStat(pid: number): Stat {
  // The process name may contain blanks and parentheses (proc(5)): fields are counted from its end.
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ").map(Number);
  const field = (index: number) => fields[index] as number;
  return {
    parent: field(1),
    ticks: field(11) + field(12),
    endedChildrenTicks: field(13) + field(14),
  };
}

function tryReadStat(pid: number): Stat | null {
  try {
    return readStat(pid);
  } catch {
    return null;
  }
}
