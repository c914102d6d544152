/**
 * The demo: an order service and an inventory service that agree in the end. See `--help`.
 *
 * @module
 */
import { type DemoOptions, HELP, readArguments, UsageError } from "./arguments.ts";
import { runDemo } from "./run.ts";
import { Terminal } from "./terminal.ts";

/** What shells say of a program that Ctrl-C ended. */
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
  terminal.line(`seed ${options.seed}`);
  const interrupt = new AbortController();
  let hurry = () => {};
  const asked = () => {
    if (interrupt.signal.aborted) return hurry();
    terminal.line("\n  Stopping.");
    interrupt.abort(new Error("Interrupted"));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    if (Deno.build.os === "windows" && signal !== "SIGINT") continue;
    Deno.addSignalListener(signal, asked);
  }
  try {
    const holds = await runDemo({
      options,
      terminal,
      interrupt: interrupt.signal,
      onImpatience: (kill) => hurry = kill,
    });
    return holds ? 0 : 1;
  } catch (error) {
    if (interrupt.signal.aborted) return INTERRUPTED;
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}
