/**
 * The command line of `deno task simulate`.
 *
 * @module
 */
import { parseArgs } from "node:util";

/** What the command prints for `--help`. */
export const HELP = `deno task simulate: two services on unreliable ground, all from one seed

  --seeds N      how many seeds to run (200)
  --from S       the first of them (1)
  --minutes M    end after so long, whatever is left of the seeds; without --seeds there is no other end
  --processes P  how many processes share them (1)
  --seed S       run this seed alone; if something does not hold, print its short history
  --trace        with --seed: print the whole history

Exit code 1 if anything did not hold.
`;

/** What to run. */
export interface Options {
  readonly seeds: number;
  readonly from: number;
  /** When to end, in milliseconds from the start. */
  readonly limitMs: number;
  readonly processes: number;
  /** The seed to run alone; null for many. */
  readonly seed: number | null;
  readonly trace: boolean;
  /** From each seed to the next: only every such seed is this process's. */
  readonly stride: number;
  /** Whether it is one of the processes that share the seeds. */
  readonly isPart: boolean;
}

/**
 * Reads the command line; null if help is wanted.
 *
 * @throws {RangeError} For what it cannot use.
 */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: "string" },
      from: { type: "string", default: "1" },
      minutes: { type: "string" },
      processes: { type: "string", default: "1" },
      seed: { type: "string" },
      trace: { type: "boolean", default: false },
      stride: { type: "string", default: "1" },
      part: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const { minutes, seeds, seed } = values;
  return {
    seeds: seeds === undefined
      ? minutes === undefined ? 200 : Number.MAX_SAFE_INTEGER
      : whole("seeds", seeds, 1),
    from: whole("from", values.from, 0),
    limitMs: minutes === undefined ? Infinity : positive("minutes", minutes) * 60_000,
    processes: whole("processes", values.processes, 1),
    seed: seed === undefined ? null : whole("seed", seed, 0),
    trace: values.trace,
    stride: whole("stride", values.stride, 1),
    isPart: values.part,
  };
}

function whole(option: string, value: string, least: number): number {
  const number = Number(value);
  if (value !== "" && Number.isSafeInteger(number) && number >= least) return number;
  throw new RangeError(
    `Cannot simulate with --${option} ${value}: want a whole number from ${least} on`,
  );
}

function positive(option: string, value: string): number {
  const number = Number(value);
  if (Number.isFinite(number) && number > 0) return number;
  throw new RangeError(`Cannot simulate with --${option} ${value}: want a number above 0`);
}
