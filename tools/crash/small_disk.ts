/**
 * A small disk for the tables of a crash run: a tmpfs that can be made full. The server's log is elsewhere, so a
 * full disk fails statements, and does not end the server.
 *
 * @module
 */
import { chownSync, mkdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { serverUser } from "../postgres_server.ts";
import { mountTmpfs, resizeTmpfs } from "./tmpfs.ts";

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

  /** Mounts one in a folder, for a number of messages; returns the reason if it cannot. */
  static mount(parent: string, messages: number): SmallDisk | string {
    const bytes = OTHER_BYTES + messages * BYTES_PER_MESSAGE;
    if (bytes > MAX_BYTES) return `${messages} messages need a tmpfs of ${megabytes(bytes)} MB`;
    const mounted = mountTmpfs(parent, bytes);
    if ("refusal" in mounted) return mounted.refusal;
    const disk = new SmallDisk(mounted.folder, bytes);
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

  #resize(bytes: number): string | null {
    return resizeTmpfs(this.#mountedAt, bytes);
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
