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
import { killProcesses, runningProcesses } from "./processes.ts";

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
  /** Ends all its processes at once by SIGKILL; data on disk remains. */
  kill(): Promise<void>;
  /** Starts it after {@linkcode kill} on another port, so that nobody takes it for the one that was killed. */
  startElsewhere(): Promise<void>;
  /**
   * Starts a server that replicates from it asynchronously, and resolves when it accepts connections.
   *
   * @param port Through which port the standby reaches this server.
   */
  startStandby(port: number): Promise<Standby>;
}

/** A server that replicates from another one. */
export interface Standby extends PrivateServer {
  /** Ends the replication; resolves when it accepts writes. */
  promote(): Promise<void>;
}

/** How a server is started. */
export interface ServerOptions {
  /** More settings, such as `max_connections=200`. */
  readonly settings?: readonly string[];
  /**
   * Where its folder is made.
   *
   * @default the folder for temporary files
   */
  readonly parent?: string;
}

/** Settings that differ from the defaults. None makes it faster. */
const SETTINGS = ["shared_preload_libraries=pg_stat_statements", "listen_addresses=127.0.0.1"];

/** Starts a server with a fresh folder on a free port. Durability is as installed: fsync on. */
export async function startPostgres(options: ServerOptions = {}): Promise<PrivateServer> {
  return await OwnServer.start(
    options,
    (server) =>
      server.run("initdb", ...["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]),
  );
}

/** A server in a folder of its own. */
class OwnServer implements Standby {
  readonly #options: ServerOptions;
  readonly #bin: string;
  readonly #user: User | null;
  readonly #folder: string;
  port = 0;

  private constructor(options: ServerOptions) {
    this.#options = options;
    this.#bin = binFolder();
    this.#folder = mkdtempSync(join(options.parent ?? tmpdir(), "atlast-postgres-"));
    this.#user = process.getuid?.() === 0 ? serverUser() : null;
    if (this.#user !== null) chownSync(this.#folder, this.#user.uid, this.#user.gid);
  }

  /** Starts a server on the data that `fill` puts into its folder. */
  static async start(
    options: ServerOptions,
    fill: (server: OwnServer) => Promise<void>,
  ): Promise<OwnServer> {
    const server = new OwnServer(options);
    try {
      await fill(server);
      await server.startElsewhere();
      return server;
    } catch (error) {
      rmSync(server.#folder, { recursive: true, force: true });
      throw error;
    }
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  get pid(): number {
    return Number(readFileSync(join(this.#data, "postmaster.pid"), "utf8").split("\n")[0]);
  }

  get #data(): string {
    return join(this.#folder, "data");
  }

  async crash(): Promise<void> {
    await this.run("pg_ctl", "-m", "immediate", "stop");
    await this.#start();
  }

  async kill(): Promise<void> {
    const { pid } = this;
    // It starts no further process while it is stopped.
    process.kill(pid, "SIGSTOP");
    const children = runningProcesses().filter(({ parent }) => parent === pid);
    await killProcesses([...children.map((each) => each.pid), pid]);
    // Its number may still be known to the system, and the next start would take it for running.
    rmSync(join(this.#data, "postmaster.pid"));
  }

  async startElsewhere(): Promise<void> {
    this.port = await freePort();
    await this.#start();
  }

  async startStandby(port: number): Promise<Standby> {
    return await OwnServer.start(this.#options, (standby) =>
      standby.run(
        "pg_basebackup",
        ...["-h", "127.0.0.1", "-p", `${port}`, "-U", "postgres", "-w"],
        ...["--write-recovery-conf", "--checkpoint=fast", "--no-sync"],
      ));
  }

  async promote(): Promise<void> {
    await this.run("pg_ctl", "promote", "-w");
  }

  stop(): void {
    // It may have been killed.
    if (existsSync(join(this.#data, "postmaster.pid"))) {
      const args = ["-D", this.#data, "-m", "immediate", "stop"];
      // A server that inherited a pipe would keep it open, and this call would wait for ever.
      const options = { cwd: tmpdir(), stdio: "ignore", ...(this.#user ?? {}) } as const;
      const { status, error } = spawnSync(join(this.#bin, "pg_ctl"), args, options);
      if (status !== 0) throw failed("pg_ctl", error ?? `exit code ${status}`);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const settings = [
      ...SETTINGS,
      ...this.#options.settings ?? [],
      `port=${this.port}`,
      `unix_socket_directories=${this.#folder}`,
    ]
      .map((setting) => `-c ${setting}`).join(" ");
    await this.run("pg_ctl", "-w", "-l", join(this.#folder, "log"), "-o", settings, "start");
  }

  /** Runs a program on its data, without blocking this process, which may be what the program talks to. */
  run(program: string, ...args: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const options = { cwd: tmpdir(), stdio: "ignore", ...(this.#user ?? {}) } as const;
      spawn(join(this.#bin, program), ["-D", this.#data, ...args], options)
        .once("error", reject)
        .once("exit", (code, signal) => {
          if (code === 0) return resolve();
          reject(failed(program, signal ?? `exit code ${code}`));
        });
    });
  }
}

function failed(program: string, got: unknown): Error {
  return new Error(`Cannot run ${program}: got ${got}`);
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
