/**
 * The runtimes that the examples are deployed on, and how each starts its example.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { NO_POSTGRES, postgresUrl } from "../postgres.ts";
import { ROOT } from "../repository.ts";
import { skipFor } from "../skip.ts";
import { type Command, Program } from "./program.ts";
import { bunPath, workplace } from "./workplace.ts";

/** The variables of a service. */
export type Variables = Readonly<Record<string, string>>;

/** A runtime. */
export interface Runtime {
  readonly name: string;
  /** Whether the platform calls a cron; elsewhere a process stays, and does what is due by itself. */
  readonly hasCron: boolean;
  /** What runs the example as a service. */
  command(variables: Variables): Promise<Command>;
  /** Whether killing the program would leave its runtime behind, which it ends by itself. */
  readonly isHosted?: boolean;
}

/** Deno runs a program with this checkout as the package; its cron is called by hand. */
export function denoRunning(program: string): Runtime {
  return {
    name: "Deno",
    hasCron: true,
    command: (variables) =>
      Promise.resolve({
        command: process.execPath,
        args: [
          ...["run", "--no-check", "--allow-all", "--unstable-cron", "--config", "deno.json"],
          ...["--preload", "tests/support/runtimes/cron_by_hand.ts", program],
        ],
        cwd: ROOT,
        env: { ...variables, PORT: "0" },
      }),
  };
}

/** The example on Deno. */
export const DENO: Runtime = denoRunning("examples/deno/main.ts");

/** Node runs what the example's build script made. */
export const NODE: Runtime = {
  name: "Node",
  hasCron: false,
  command: async (variables) => ({
    command: "node",
    args: ["dist/main.mjs"],
    cwd: join(await workplace(), "node"),
    env: { ...variables, PORT: "0" },
  }),
};

/** Bun runs the sources with the package installed. */
export const BUN: Runtime = {
  name: "Bun",
  hasCron: false,
  command: async (variables) => ({
    command: await bunPath(),
    args: ["main.ts"],
    cwd: join(await workplace(), "bun"),
    env: { ...variables, PORT: "0" },
  }),
};

/** workerd runs the bundle of a folder's Worker, with the settings of its wrangler.jsonc. */
export function workerdRunning(folder: () => Promise<string>): Runtime {
  return {
    name: "workerd",
    hasCron: true,
    isHosted: true,
    command: async (variables) => ({
      command: process.execPath,
      args: [
        ...["run", "--quiet", "--no-check", "--allow-all", "--config", "deno.json"],
        ...["tests/support/runtimes/workerd_host.ts", await folder()],
      ],
      cwd: ROOT,
      env: { WORKER_VARIABLES: JSON.stringify(variables) },
    }),
  };
}

/** The example on workerd. */
export const WORKERD: Runtime = workerdRunning(async () => join(await workplace(), "cloudflare"));

/** A running service. */
export interface Instance {
  /** Where it listens. */
  readonly origin: string;
  /** Calls its cron; null where there is none. */
  readonly tick: (() => Promise<void>) | null;
  /** All it has printed. */
  readonly output: string;
  /** Has it end in order. */
  stop(): Promise<void>;
  /** Kills it. */
  kill(): Promise<void>;
}

/** How each says that it serves, and where. */
const SERVES = /\b(?:listening|started)\b.*?(?::|port )(\d+)/i;

/** Starts a service; resolves when it serves. */
export async function start(runtime: Runtime, variables: Variables): Promise<Instance> {
  const program = new Program(await runtime.command(variables));
  const [, port] = await program.says(SERVES);
  return {
    origin: `http://127.0.0.1:${port}`,
    tick: runtime.hasCron ? async () => void await program.ask("tick", /^ticked$/) : null,
    get output() {
      return program.output;
    },
    stop: () => program.stop(),
    kill: () => runtime.isHosted ? program.stop() : program.kill(),
  };
}

/**
 * Why a suite cannot run here: without a server, or on a machine without Node or its packages; false when
 * it can. With `CI=true` it must.
 */
export async function unavailable(runtime: Runtime): Promise<string | false> {
  if (await postgresUrl() === null) return skipFor(NO_POSTGRES);
  try {
    await runtime.command({});
    return false;
  } catch (error) {
    if (process.env["CI"] === "true") throw error;
    return skipFor(`${runtime.name} cannot be made ready: ${String(error).replaceAll("\n", " ")}`);
  }
}
