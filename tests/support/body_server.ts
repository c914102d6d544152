/**
 * Starts `body_child.ts`, on Deno as it is or bundled on Node.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
// So that Deno has it, also where nothing else asked for it yet.
import "@hono/node-server";
import { ownPackages } from "../../tools/bundle/packages.ts";
import { ROOT } from "./repository.ts";

const CHILD = "tests/support/body_child.ts";

/** What the process says of a message it took. */
export interface Cost {
  /** The status of the answer. */
  readonly status: number;
  /** By how much its memory grew at the most, in megabytes. */
  readonly grownMb: number;
  /** The processor time it took, in milliseconds; of the whole process. */
  readonly cpuMs: number;
}

/** A running process. */
export interface BodyServer {
  readonly origin: string;
  /** What it says next. */
  cost(): Promise<Cost>;
  stop(): Promise<void>;
}

/** Starts one. */
export async function bodyServer(runtime: "Deno" | "Node"): Promise<BodyServer> {
  const child = runtime === "Deno"
    ? started(process.execPath, ["run", "-A", "--no-check", CHILD])
    : started("node", [bundle()]);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async <Line>(): Promise<Line> => {
    const { done, value } = await lines.next();
    if (done) throw new Error(`The server on ${runtime} ended`);
    return JSON.parse(value);
  };
  const { origin } = await next<{ origin: string }>();
  return {
    origin,
    cost: () => next<Cost>(),
    stop: () =>
      new Promise((resolve) => {
        child.once("close", () => resolve());
        child.kill();
      }),
  };
}

function started(command: string, args: string[]): ChildProcess {
  return spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
}

/** Bundles the program by a process of its own: esbuild leaves some of itself behind, which counts as leaked. */
function bundle(): string {
  const file = join(ROOT, ".tmp/body_child.mjs");
  const args = ["run", "-A", "--no-check", fileURLToPath(import.meta.url), file];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot bundle: ${stderr}`);
  return file;
}

if (import.meta.main) {
  const packages = ownPackages();
  const link = join(packages, "@hono/node-server");
  mkdirSync(dirname(link), { recursive: true });
  rmSync(link, { force: true });
  const entry = createRequire(import.meta.url).resolve("@hono/node-server");
  symlinkSync(dirname(dirname(entry)), link, "dir");
  buildSync({
    entryPoints: [join(ROOT, CHILD)],
    absWorkingDir: ROOT,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    nodePaths: [packages],
    outfile: process.argv[2]!,
    logLevel: "error",
  });
}
