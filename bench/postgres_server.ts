/**
 * A Postgres server for the bench alone, from what is installed on the machine.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { chownSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";

/** A running server. */
export interface Server {
  readonly url: string;
  /** Its first process, for its processor time; null when it is not ours. */
  readonly pid: number | null;
  stop(): void;
}

/** What differs from the defaults: nothing that makes it faster. */
const SETTINGS = ["shared_preload_libraries=pg_stat_statements", "listen_addresses=127.0.0.1"];

/** Starts a server with a fresh folder on a free port. Durability is as installed: fsync on. */
export async function startPostgres(): Promise<Server> {
  const bin = binFolder();
  const folder = mkdtempSync(join(tmpdir(), "atlast-bench-postgres-"));
  const user = process.getuid?.() === 0 ? serverUser() : null;
  if (user !== null) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const as = (args: readonly string[]) => run(join(bin, args[0] as string), args.slice(1), user);
  try {
    as(["initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]);
    const port = await freePort();
    const options = [...SETTINGS, `port=${port}`, `unix_socket_directories=${folder}`]
      .map((setting) => `-c ${setting}`).join(" ");
    as(["pg_ctl", "-D", data, "-w", "-l", join(folder, "log"), "-o", options, "start"]);
    return {
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      pid: Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]),
      stop() {
        as(["pg_ctl", "-D", data, "-m", "immediate", "stop"]);
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Whether a server can be started here. */
export function hasPostgres(): boolean {
  try {
    return existsSync(binFolder());
  } catch {
    return false;
  }
}

/** Debian keeps the server's programs away from PATH; the newest version is taken. */
function binFolder(): string {
  const found = spawnSync("pg_config", ["--bindir"], { encoding: "utf8" });
  const folders = [
    ...globSync("/usr/lib/postgresql/*/bin").sort((a, b) => versionOf(b) - versionOf(a)),
    ...(found.status === 0 ? [found.stdout.trim()] : []),
    ...(process.env["PATH"] ?? "").split(":"),
  ];
  const bin = folders.find((folder) => existsSync(join(folder, "initdb")));
  if (bin === undefined) {
    throw new Error(
      "Cannot start Postgres: found no initdb, want an installed server or --database-url",
    );
  }
  return bin;
}

function versionOf(bin: string): number {
  return Number(dirname(bin).split("/").at(-1));
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Postgres does not run as root. */
function serverUser(): User {
  for (const name of ["postgres", "nobody"]) {
    const [uid, gid] = ["-u", "-g"].map((flag) =>
      Number(spawnSync("id", [flag, name], { encoding: "utf8" }).stdout.trim() || NaN)
    ) as [number, number];
    if (uid > 0) return { uid, gid };
  }
  throw new Error("Cannot start Postgres as root: found no user postgres or nobody to run it as");
}

function run(program: string, args: readonly string[], user: User | null): void {
  // A server that inherited a pipe would keep it open, and this call would wait for ever.
  const { status, error } = spawnSync(program, [...args], {
    cwd: tmpdir(),
    stdio: "ignore",
    ...(user ?? {}),
  });
  if (status !== 0) throw new Error(`Cannot run ${program}: got ${error ?? `exit code ${status}`}`);
}

/** A port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
