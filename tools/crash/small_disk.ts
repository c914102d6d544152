/**
 * A small disk for the tables of a crash run: a tmpfs that can be made full. The server's log is elsewhere, so a
 * full disk fails statements, and does not end the server.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { serverUser } from "../postgres_server.ts";

/** What a message takes with its records, indexes and old versions, in bytes, and what everything else takes. */
const BYTES_PER_MESSAGE = 12_000;
const OTHER_BYTES = 128 * 2 ** 20;
/** A larger run would need too much memory, in bytes. */
const MAX_BYTES = 6 * 2 ** 30;
/** How often it is tried to make the disk as small as what is on it, which grows meanwhile. */
const TRIES = 50;

/** The disk. */
export class SmallDisk {
  readonly #mountedAt: string;
  readonly #bytes: number;
  /** A folder on it that belongs to the server. */
  readonly folder: string;

  private constructor(mountedAt: string, bytes: number) {
    this.#mountedAt = mountedAt;
    this.#bytes = bytes;
    this.folder = join(mountedAt, "tables");
  }

  /** Mounts one for a number of messages; returns the reason if it cannot. */
  static mount(messages: number): SmallDisk | string {
    const bytes = OTHER_BYTES + messages * BYTES_PER_MESSAGE;
    if (bytes > MAX_BYTES) return `${messages} messages need a tmpfs of ${megabytes(bytes)} MB`;
    if (process.getuid?.() !== 0) return "only root may mount a tmpfs";
    const mountedAt = mkdtempSync(join(tmpdir(), "atlast-disk-"));
    const disk = new SmallDisk(mountedAt, bytes);
    const refusal = mount(["-t", "tmpfs", "-o", `size=${bytes},mode=755`, "tmpfs", mountedAt]);
    if (refusal !== null) {
      rmSync(mountedAt, { recursive: true });
      return refusal;
    }
    mkdirSync(disk.folder);
    const { uid, gid } = serverUser();
    chownSync(disk.folder, uid, gid);
    return disk;
  }

  /** Makes it full: as small as what is on it. */
  fill(): void {
    let refusal: string | null = null;
    for (let i = 0; i < TRIES; i++) {
      const { blocks, bfree, bsize } = statfsSync(this.#mountedAt);
      refusal = this.#resize((blocks - bfree) * bsize);
      if (refusal === null) return;
    }
    throw new Error(`Cannot fill the disk: ${refusal}`);
  }

  /** Ends that it is full. */
  free(): void {
    const refusal = this.#resize(this.#bytes);
    if (refusal !== null) throw new Error(`Cannot free the disk: ${refusal}`);
  }

  /** Unmounts and deletes it. */
  unmount(): void {
    spawnSync("umount", ["--lazy", this.#mountedAt]);
    rmSync(this.#mountedAt, { recursive: true, force: true });
  }

  #resize(bytes: number): string | null {
    return mount(["-o", `remount,size=${bytes}`, this.#mountedAt]);
  }
}

function mount(args: readonly string[]): string | null {
  const { status, stderr, error } = spawnSync("mount", [...args], { encoding: "utf8" });
  return status === 0 ? null : String(error ?? stderr).trim();
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
