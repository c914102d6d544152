/**
 * Starts private Postgres servers, with the installed programs. Used by tests, the demo and the benchmarks.
 *
 * @module
 */
import { spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";

/** A running server. */
export interface Server {
  readonly url: string;
  /** Its main process, for its processor time; null for an existing server. */
  readonly pid: number | null;
  stop(): void;
}

/** A running private server. */
export interface PrivateServer extends Server {
  readonly port: number;
  /** Stops it as in a crash, and starts it again; resolves when it accepts connections. */
  crash(): Promise<void>;
}

/** How a server is started. */
export interface ServerOptions {
  /** More settings, such as `max_connections=200`. */
  readonly settings?: readonly string[];
}

/** Settings that differ from the defaults. None makes it faster. */
const SETTINGS = ["shared_preload_libraries=pg_stat_statements", "listen_addresses=127.0.0.1"];

/** Starts a server with a fresh folder on a free port. Durability is as installed: fsync on. */
export async function startPostgres(options: ServerOptions = {}): Promise<PrivateServer> {
  const bin = binFolder();
  const folder = mkdtempSync(join(tmpdir(), "atlast-postgres-"));
  const user = process.getuid?.() === 0 ? serverUser() : null;
  if (user !== null) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const as = (args: readonly string[]) => run(join(bin, args[0] as string), args.slice(1), user);
  try {
    as(["initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]);
    const port = await freePort();
    const settings = [
      ...SETTINGS,
      ...options.settings ?? [],
      `port=${port}`,
      `unix_socket_directories=${folder}`,
    ]
      .map((setting) => `-c ${setting}`).join(" ");
    const start = ["-D", data, "-w", "-l", join(folder, "log"), "-o", settings, "start"];
    as(["pg_ctl", ...start]);
    return {
      port,
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      pid: Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]),
      async crash() {
        const crashing = ["-D", data, "-m", "immediate", "stop"];
        await runAsync(join(bin, "pg_ctl"), crashing, user);
        await runAsync(join(bin, "pg_ctl"), start, user);
      },
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

/** Debian does not put the server's programs in PATH. The newest version is used. */
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

/** The user that runs a server. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** The user to run a server that refuses root. */
export function serverUser(): User {
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

function runAsync(program: string, args: readonly string[], user: User | null): Promise<void> {
  return new Promise((resolve, reject) => {
    spawn(program, [...args], { cwd: tmpdir(), stdio: "ignore", ...(user ?? {}) })
      .once("error", reject)
      .once("exit", (code) => {
        if (code === 0) return resolve();
        reject(new Error(`Cannot run ${program}: got exit code ${code}`));
      });
  });
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
