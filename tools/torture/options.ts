/**
 * The command line of the torture run.
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
export interface TortureOptions {
  readonly mode: Mode;
  readonly minutes: number;
  readonly seed: number;
  /** How many processes each service has. */
  readonly processes: number;
  /** How often a process is killed, the server crashes and a connection is cut, in milliseconds. */
  readonly killEveryMs: number;
  readonly crashEveryMs: number;
  readonly cutEveryMs: number;
}

const USAGE = `deno task torture [options]
  --mode MODE        ${MODES.join(", ")} (default direct)
  --minutes N        how long faults are injected (default 10)
  --seed N           the seed of the faults (default random)
  --processes N      how many processes each service has (default 3)`;

/** Reads the arguments; ends the process if they are invalid. */
export function readOptions(args: readonly string[]): TortureOptions {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        mode: { type: "string", default: "direct" },
        minutes: { type: "string", default: "10" },
        seed: { type: "string" },
        processes: { type: "string", default: "3" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return end(USAGE, 0);
    const mode = MODES.find((each) => each === values.mode);
    if (mode === undefined) throw new Error(`Cannot use --mode ${values.mode}`);
    return {
      mode,
      minutes: positive("minutes", values.minutes),
      seed: values.seed === undefined
        ? Math.floor(Math.random() * 2 ** 31)
        : positive("seed", values.seed),
      processes: positive("processes", values.processes),
      killEveryMs: 5_000,
      crashEveryMs: 25_000,
      cutEveryMs: 1_200,
    };
  } catch (error) {
    return end(`${error instanceof Error ? error.message : error}\n\n${USAGE}`, 2);
  }
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`Cannot use --${name} ${text}: want a number above zero`);
}

function end(text: string, code: number): never {
  console.log(text);
  process.exit(code);
}
