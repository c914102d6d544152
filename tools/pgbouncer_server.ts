/**
 * Starts private PgBouncer servers in transaction mode, with the installed program. Used by tests and
 * benchmarks.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { freePort, serverUser } from "./postgres_server.ts";

/** A running pooler. */
export interface Pooler {
  readonly port: number;
  /** Rejects with its log when it ends by itself; never resolves. */
  readonly ended: Promise<never>;
  /** Ends it and deletes its folder. */
  stop(): Promise<void>;
}

/** How many connections it keeps to each database. */
const POOL_SIZE = 20;

/** How many lines of its log are shown when it ends by itself. */
const LOG_LINES = 20;

/** Whether there is a program to start. */
export function hasPgBouncer(): boolean {
  return spawnSync("pgbouncer", ["--version"]).status === 0;
}

/**
 * Starts a pooler in front of a server on this machine, with Debian's defaults except for the mode. Its folder is made
 * in `parent`.
 */
export async function startPgBouncer(
  postgresPort: number,
  parent: string = tmpdir(),
): Promise<Pooler> {
  const folder = mkdtempSync(join(parent, "atlast-pgbouncer-"));
  const user = process.getuid?.() === 0 ? serverUser() : null;
  const port = await freePort();
  const config = join(folder, "pgbouncer.ini");
  const log = join(folder, "log");
  writeFileSync(
    config,
    `[databases]
* = host=127.0.0.1 port=${postgresPort} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${POOL_SIZE}
max_client_conn = 1000
server_login_retry = 1
logfile = ${log}
ignore_startup_parameters = extra_float_digits
`,
  );
  if (user !== null) chownSync(folder, user.uid, user.gid);
  const child = spawn("pgbouncer", ["-q", config], { stdio: "ignore", cwd: folder, ...user ?? {} });
  await listening(child, port);
  let isStopping = false;
  const ended = once(child, "exit").then(([code, signal]): Promise<never> => {
    if (isStopping) return new Promise(() => {});
    const lines = readFileSync(log, "utf8").trim().split("\n").slice(-LOG_LINES);
    throw new Error(`PgBouncer ended by itself with ${code ?? signal}:\n${lines.join("\n")}`);
  });
  ended.catch(() => {});
  return {
    port,
    ended,
    async stop() {
      isStopping = true;
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`Cannot start pgbouncer: it ended with ${code}`);
  });
  ended.catch(() => {});
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = once(socket, "connect").then(() => true, () => false);
    const isUp = await Promise.race([isOpen, ended]);
    socket.destroy();
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
