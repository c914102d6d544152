/**
 * Starts private Redis servers, for tests, the demo and the benchmarks: each on a free port with its own
 * folder.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How often another free port is tried when a different program took the found one. */
const PORT_ATTEMPTS = 5;

/** How a server is started. */
export interface RedisServerOptions {
  /** Whether every write is on disk before it is answered, so that a kill loses nothing. By default false. */
  readonly appendOnly?: boolean;
  /** Where its folder is made. By default the folder for temporary files. */
  readonly parent?: string;
  /** Further arguments of redis-server. */
  readonly args?: readonly string[];
}

/** A private Redis server. */
export interface RedisServer {
  /** Such as `redis://127.0.0.1:40001`. */
  readonly url: string;
  readonly port: number;
  /** Its process. */
  readonly pid: number;
  /** Ends it at once by SIGKILL; data on disk remains. */
  kill(): Promise<void>;
  /** Starts it again after {@linkcode kill}, on the same port and data; resolves when it answers. */
  start(): Promise<void>;
  /** Ends it and deletes its folder. */
  stop(): Promise<void>;
}

/** The version of the installed redis-server; null without one. */
export function redisVersion(): string | null {
  const { status, stdout } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  return status === 0 ? /v=(\S+)/.exec(stdout)?.[1] ?? "unknown" : null;
}

/** Whether redis-server is installed. */
export function hasRedis(): boolean {
  return redisVersion() !== null;
}

/** Starts a server, empty and in memory only unless `appendOnly` says otherwise. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const folder = await mkdtemp(join(options.parent ?? tmpdir(), "atlast-redis-"));
  const argsFor = (port: number): string[] => [
    ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
    ...(options.appendOnly ? ["--appendonly", "yes", "--appendfsync", "always"] : []),
    ...options.args ?? [],
  ];
  for (let attempt = 1;; attempt++) {
    const port = await freePort();
    try {
      return serverOf(port, await launched(argsFor(port)), argsFor(port), folder);
    } catch (error) {
      if (attempt < PORT_ATTEMPTS) continue;
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

function serverOf(
  port: number,
  first: ChildProcess,
  args: readonly string[],
  folder: string,
): RedisServer {
  let child: ChildProcess | null = first;
  const kill = async (): Promise<void> => {
    const running = child;
    child = null;
    if (running !== null) await killed(running);
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return child?.pid ?? -1;
    },
    kill,
    async start() {
      if (child === null) child = await launched(args);
    },
    async stop() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

/** Resolves when the server has loaded its data and accepts connections. */
async function launched(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn("redis-server", [...args], { stdio: ["ignore", "pipe", "ignore"] });
  let log = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      if (log.includes("Ready to accept connections")) resolve();
    });
    child.once("error", reject);
    child.once("exit", (code) => {
      reject(new Error(`Cannot start redis-server: it ended with ${code}\n${log.slice(-500)}`));
    });
  });
  child.removeAllListeners("exit");
  child.stdout.destroy();
  return child;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
