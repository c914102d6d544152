/**
 * The command line of the crash run.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";

/** Where the services have their data. */
export const STORES = ["postgres", "pglite", "redis"] as const;

/** One of {@linkcode STORES}. */
export type StoreName = (typeof STORES)[number];

/** What carries the messages between the services. */
export const TRANSPORTS = ["http", "stream", "qstash"] as const;

/** One of {@linkcode TRANSPORTS}. */
export type TransportName = (typeof TRANSPORTS)[number];

/** How the services reach Postgres. */
export const MODES = ["direct", "pgbouncer", "pgbouncer-prepared"] as const;

/** One of {@linkcode MODES}. */
export type Mode = (typeof MODES)[number];

/** The parsed options. */
export interface CrashOptions {
  readonly store: StoreName;
  readonly transport: TransportName;
  readonly mode: Mode;
  /** How many processes are killed. */
  readonly kills: number;
  /** How often the server crashes. */
  readonly restarts: number;
  /** How many messages are published at least. */
  readonly messages: number;
  /** How often a standby takes over from the killed server of a service; 0 without `--promote-standby`. */
  readonly failovers: number;
  /** How many messages are in flight at least when a process is killed. */
  readonly inFlight: number;
  readonly seed: number;
  /** How many processes each service has. */
  readonly processes: number;
}

const USAGE = `deno task crash [options]
  --store STORE      ${
  STORES.join(", ")
} (default postgres). PGlite has one process for each service, and no
                     server. Redis is reached through Upstash's protocol, and keeps every acknowledged write
  --transport NAME   ${
  TRANSPORTS.join(", ")
} (default http). A stream is on Redis, which crashes with the other servers.
                     QStash is our emulator
  --kills N          how many processes are killed (default 100)
  --restarts N       how often the server is stopped as in a crash and started (default 10)
  --messages N       how many messages are published at least (default 20000)
  --mode MODE        how services reach Postgres: ${MODES.join(", ")} (default direct)
  --in-flight N      how many messages are in flight at least when a process is killed (default 500)
  --processes N      how many processes each service has (default 3)
  --promote-standby  each service has a Postgres server of its own; one after the other is killed while its standby is
                     up to 1.5 s behind, and the standby takes over. What is missing at the end must be, record by
                     record, what the standbys lost, and verify must name it
  --failovers N      how often that happens (default 2, once for each service)
  --seed N           the seed of the plan of faults (default random)

Ends with "crash: N messages, N kills, N restarts, N lost, N doubled"; exit code 1 if anything was violated. What
standbys lost is in lines of its own, and is no loss there. A run that was killed leaves its servers and folders, which
the next run removes.`;

const OPTIONS = {
  store: { type: "string", default: "postgres" },
  transport: { type: "string", default: "http" },
  mode: { type: "string", default: "direct" },
  kills: { type: "string", default: "100" },
  restarts: { type: "string" },
  messages: { type: "string", default: "20000" },
  processes: { type: "string" },
  "promote-standby": { type: "boolean", default: false },
  failovers: { type: "string" },
  "in-flight": { type: "string", default: "500" },
  seed: { type: "string" },
  help: { type: "boolean", default: false },
} as const;

/** Reads the arguments; ends the process if they are invalid. */
export function readOptions(args: readonly string[]): CrashOptions {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    if (values.help) return end(USAGE, 0);
    const store = oneOf("store", values.store, STORES);
    const mode = oneOf("mode", values.mode, MODES);
    const transport = oneOf("transport", values.transport, TRANSPORTS);
    const isPglite = store === "pglite";
    const hasServer = !isPglite || transport === "stream";
    if (store !== "postgres" && mode !== "direct") throw refused("mode", mode, "--store postgres");
    if (values["promote-standby"]) {
      if (store !== "postgres") throw refused("promote-standby", null, "--store postgres");
      if (mode !== "direct") throw refused("promote-standby", null, "--mode direct");
      if (transport !== "http") throw refused("promote-standby", null, "--transport http");
    } else if (values.failovers !== undefined) {
      throw refused("failovers", values.failovers, "--promote-standby");
    }
    const restarts = whole("restarts", values.restarts ?? (hasServer ? "10" : "0"), 0);
    if (!hasServer && restarts > 0) {
      throw refused("restarts", restarts, "a store or transport with a server");
    }
    const processes = whole("processes", values.processes ?? (isPglite ? "1" : "3"), 1);
    if (isPglite && processes > 1) {
      throw refused("processes", processes, "a store that several processes can open");
    }
    return {
      store,
      transport,
      mode,
      restarts,
      processes,
      failovers: values["promote-standby"] ? whole("failovers", values.failovers ?? "2", 1) : 0,
      kills: whole("kills", values.kills, 0),
      messages: whole("messages", values.messages, 1),
      inFlight: whole("in-flight", values["in-flight"], 1),
      seed: whole("seed", values.seed ?? String(Math.floor(Math.random() * 2 ** 31)), 0),
    };
  } catch (error) {
    return end(`${error instanceof Error ? error.message : error}\n\n${USAGE}`, 2);
  }
}

function oneOf<Name extends string>(option: string, text: string, names: readonly Name[]): Name {
  const name = names.find((each) => each === text);
  if (name !== undefined) return name;
  throw new Error(`Cannot use --${option} ${text}: want one of ${names.join(", ")}`);
}

/** An option that does not go with the others. */
function refused(option: string, value: string | number | null, want: string): Error {
  return new Error(
    `Cannot use --${option}${value === null ? "" : ` ${value}`}: want it with ${want}`,
  );
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`Cannot use --${name} ${text}: want a whole number from ${least} on`);
}

function end(text: string, code: number): never {
  console.log(text);
  process.exit(code);
}
