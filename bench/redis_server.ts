/**
 * A Redis server for the bench alone. It writes every command to disk before it answers, as Postgres
 * does: the same durability for all.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../tools/postgres_server.ts";

/** A running server. */
export interface RedisServer {
  readonly port: number;
  readonly pid: number | null;
  readonly version: string;
  stop(): void;
}

/** Starts a server; null where none is installed. */
export async function startRedis(): Promise<RedisServer | null> {
  const found = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
  if (found.status !== 0) return null;
  const folder = mkdtempSync(join(tmpdir(), "atlast-bench-redis-"));
  const port = await freePort();
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder];
  const child = spawn("redis-server", [
    ...args,
    ...["--save", "", "--appendonly", "yes", "--appendfsync", "always"],
  ], { stdio: "ignore" });
  await answering(port, child);
  return {
    port,
    pid: child.pid ?? null,
    version: /v=(\S+)/.exec(found.stdout)?.[1] ?? "unknown",
    stop() {
      child.kill("SIGKILL");
      child.unref();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function answering(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => (socket.destroy(), resolve(true)));
      socket.once("error", () => resolve(false));
    });
    if (isUp) return;
    await sleep(20);
  }
  throw new Error(`Cannot start Redis: it ended with ${child.exitCode}`);
}
