/**
 * A local server as a program of the command line.
 *
 * @module
 */
import process from "node:process";
import { textOfThrown } from "../../core/user_code/thrown.ts";

/** What a shell is told of arguments that cannot be used. */
const MISUSED = 2;

/** A program. */
export interface Program {
  /** What `--help` prints, and what follows what is wrong with the arguments. */
  readonly usage: string;
  /** Runs until it is asked to end; what it throws is for whoever typed the arguments. */
  run(args: readonly string[]): Promise<void>;
}

/** Runs a program with the arguments of this process, and sets the exit code of the process. */
export async function runAsProcess(program: Program): Promise<void> {
  process.exitCode = await runProgram(program, process.argv.slice(2));
}

async function runProgram(
  { usage, run }: Program,
  args: readonly string[],
): Promise<number> {
  if (args.includes("--help")) {
    console.log(usage);
    return 0;
  }
  try {
    await run(args);
    return 0;
  } catch (error) {
    console.error(`${textOfThrown(error).message}\n\n${usage}`);
    return MISUSED;
  }
}

/** The port that an argument says. */
export function portOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new Error(`Cannot listen on port ${text}: want a number up to 65535`);
}

/** Resolves when the process is asked to end. */
export function endRequested(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}
