/**
 * Locks a folder for one process. `openPglite` calls it before it opens a database.
 *
 * The lock is a file beside the folder that names its owner. It is created complete, by a link, so that no
 * process reads part of it. A process that takes over the lock of a dead one locks the takeover too, so that of
 * two that try at once only one succeeds.
 *
 * @module
 */
import { link, mkdir, readFile, realpath, rename, unlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import process from "node:process";
import { AtlastError } from "../../core/errors.ts";

/** How often the file may change during one attempt before the attempt fails. */
const MAX_TRIES = 20;

/** The owner of a lock. */
interface Owner {
  /** Its process. */
  readonly pid: number;
  /** The machine the process is on. */
  readonly host: string;
  /** When the process began, to distinguish it from a later one with the same number; null if unknown. */
  readonly birth: string | null;
  /** Identifies this lock. */
  readonly token: string;
}

/** The owner of a lock that cannot be read. */
const NOBODY: Owner = { pid: 0, host: hostname(), birth: null, token: "unreadable" };

/**
 * Takes the lock of a folder, and creates the folder if it is missing. A lock whose process is dead is taken
 * over.
 *
 * @returns A function that releases it.
 * @throws {AtlastError} `database_locked` when a living process, or one on another machine, has it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true });
  // Two names of one folder are one lock.
  const path = await realpath(folder);
  return await acquire(`${path}.lock`, path);
}

async function acquire(path: string, folder: string): Promise<() => Promise<void>> {
  const owner: Owner = {
    pid: process.pid,
    host: hostname(),
    birth: await birthOf(process.pid),
    token: crypto.randomUUID(),
  };
  const draft = `${path}.${owner.token}.tmp`;
  await writeFile(draft, JSON.stringify(owner));
  try {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (await linked(draft, path)) return () => release(path, owner);
      const other = await ownerOf(path);
      // It was released in between.
      if (other === null) continue;
      if (await isAlive(other)) throw lockedBy(other, path, folder);
      if (await takenOver(draft, path, other, folder)) return () => release(path, owner);
    }
    throw new AtlastError(
      "database_locked",
      `Cannot open ${folder}: the lock changed its owner ${MAX_TRIES} times, want it free`,
    );
  } finally {
    await unlink(draft).catch(() => {});
  }
}

/**
 * Replaces the lock of a dead owner with `draft`. Only the owner of the takeover lock of this token may do
 * so, and only while that token is still there.
 */
async function takenOver(
  draft: string,
  path: string,
  dead: Owner,
  folder: string,
): Promise<boolean> {
  const giveBack = await acquire(`${path}.${dead.token}`, folder);
  try {
    if ((await ownerOf(path))?.token !== dead.token) return false;
    await rename(draft, path);
    return true;
  } finally {
    await giveBack();
  }
}

async function release(path: string, own: Owner): Promise<void> {
  if ((await ownerOf(path))?.token === own.token) await unlink(path);
}

async function linked(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function ownerOf(path: string): Promise<Owner | null> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Owner;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    // The file is always created complete; it can be incomplete only after a power failure.
    if (error instanceof SyntaxError) return NOBODY;
    throw error;
  }
}

/** A process of another machine cannot be checked, so it counts as alive. */
async function isAlive(owner: Owner): Promise<boolean> {
  if (owner.pid === NOBODY.pid) return false;
  if (owner.host !== hostname()) return true;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // It exists, but belongs to another user.
    if (codeOf(error) !== "EPERM") return false;
  }
  return owner.birth === null || await birthOf(owner.pid) === owner.birth;
}

/**
 * When a process began, counted by the kernel since boot; null without `/proc`. A restarted container often
 * has the same process number as before.
 */
async function birthOf(pid: number): Promise<string | null> {
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile("/proc/sys/kernel/random/boot_id", "utf8"),
    ]);
    // The second field is the program's name in parentheses, which may hold anything; the start time
    // is the twentieth after it.
    return `${boot.trim()}:${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return null;
  }
}

function lockedBy({ pid, host }: Owner, path: string, folder: string): AtlastError {
  return new AtlastError(
    "database_locked",
    `Cannot open ${folder}: process ${pid} on ${host} has it open, want one process at a time` +
      (host === hostname() ? "" : `; delete ${path} if that machine is gone`),
  );
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}
