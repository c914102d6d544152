/**
 * The program of `deno task demo`: an order service and an inventory service that end up consistent
 * whatever fails between them. `--help` shows the options.
 *
 * @module
 */
import { type DemoOptions, HELP, readArguments, UsageError } from "./arguments.ts";
import { runDemo } from "./run.ts";
import { Terminal } from "./terminal.ts";

/** The exit code of shells for a program that Ctrl-C ended. */
const INTERRUPTED = 130;
const MISUSED = 2;

if (import.meta.main) Deno.exit(await main());

async function main(): Promise<number> {
  let options: DemoOptions | null;
  try {
    options = readArguments(Deno.args, Math.random());
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    return MISUSED;
  }
  if (options === null) {
    console.log(HELP);
    return 0;
  }
  const terminal = new Terminal();
  terminal.printLine(`seed ${options.seed}`);
  const interrupt = new AbortController();
  let killServices = () => {};
  const onInterrupt = () => {
    if (interrupt.signal.aborted) return killServices();
    terminal.printLine("\n  Stopping.");
    interrupt.abort(new Error("Interrupted"));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    if (Deno.build.os === "windows" && signal !== "SIGINT") continue;
    Deno.addSignalListener(signal, onInterrupt);
  }
  try {
    const holds = await runDemo({
      options,
      terminal,
      interrupt: interrupt.signal,
      onSecondInterrupt: (kill) => killServices = kill,
    });
    return holds ? 0 : 1;
  } catch (error) {
    if (interrupt.signal.aborted) return INTERRUPTED;
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}
