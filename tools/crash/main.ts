/**
 * `deno task crash`: kills, server crashes and cut connections under load, reconciled at the end. Exit code 0
 * means: no message lost, no effect doubled, nothing of what was rolled back, no process ended by an uncaught
 * error, and no pool hung.
 *
 * @module
 */
import process from "node:process";
import { crashRun } from "./crash_run.ts";
import { readOptions } from "./options.ts";

process.exit(await crashRun(readOptions(process.argv.slice(2))) ? 0 : 1);
