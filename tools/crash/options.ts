/**
 * The command line of the crash run.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";

/** How the services reach the database. */
export const MODES = ["direct", "pgbouncer", "pgbouncer-prepared"] as const;

/** One of {@linkcode MODES}. */
export type Mode = (typeof MODES)[number];

/** The parsed options. */
export interface CrashOptions {
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
  --kills N          how many processes are killed (default 100)
  --restarts N       how often the server is stopped with -m immediate and started (default 10)
  --messages N       how many messages are published at least (default 20000)
  --mode MODE        ${MODES.join(", ")} (default direct)
  --in-flight N      how many messages are in flight at least when a process is killed (default 500)
  --processes N      how many processes each service has (default 3)
  --promote-standby  each service has a server of its own; one after the other is killed while its standby is up to
                     1.5 s behind, and the standby takes over. What is missing at the end must be, record by
                     record, what the standbys lost, and verify must name it
  --failovers N      how often that happens (default 2, once for each service)
  --seed N           the seed of the plan of faults (default random)

Ends with "crash: N messages, N kills, N restarts, N lost, N doubled"; exit code 1 if anything was violated. What
standbys lost is in lines of its own, and is no loss there. A run that was killed leaves its servers and folders, which
the next run removes.`;

/** Reads the arguments; ends the process if they are invalid. */
export function readOptions(args: readonly string[]): CrashOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        mode: { type: "string", default: "direct" },
        kills: { type: "string", default: "100" },
        restarts: { type: "string", default: "10" },
        messages: { type: "string", default: "20000" },
        processes: { type: "string", default: "3" },
        "promote-standby": { type: "boolean", default: false },
        failovers: { type: "string" },
        "in-flight": { type: "string", default: "500" },
        seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return end(USAGE, 0);
    const mode = MODES.find((each) => each === values.mode);
    if (mode === undefined) {
      throw new Error(`Cannot use --mode ${values.mode}: want one of ${MODES.join(", ")}`);
    }
    if (values["promote-standby"] && mode !== "direct") {
      throw new Error(`Cannot use --promote-standby with --mode ${mode}: want direct`);
    }
    if (!values["promote-standby"] && values.failovers !== undefined) {
      throw new Error(
        `Cannot use --failovers ${values.failovers}: want --promote-standby with it`,
      );
    }
    return {
      mode,
      failovers: values["promote-standby"] ? whole("failovers", values.failovers ?? "2", 1) : 0,
      kills: whole("kills", values.kills, 0),
      restarts: whole("restarts", values.restarts, 0),
      messages: whole("messages", values.messages, 1),
      inFlight: whole("in-flight", values["in-flight"], 1),
      processes: whole("processes", values.processes, 1),
      seed: whole("seed", values.seed, 0),
    };
  } catch (error) {
    return end(`${error instanceof Error ? error.message : error}\n\n${USAGE}`, 2);
  }
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
