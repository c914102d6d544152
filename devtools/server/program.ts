/**
 * Runs a local server as a command line program.
 *
 * @module
 */
import process from "node:process";
import { textOfThrown } from "../../core/user_code/thrown.ts";

/** The exit code for invalid arguments. */
const MISUSED = 2;

/** A program. */
export interface Program {
  /** The text of `--help`, which is also printed after an error in the arguments. */
  readonly usage: string;
  /** Runs until the process is asked to end. It throws errors in the arguments. */
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

/** The port of an argument. */
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
