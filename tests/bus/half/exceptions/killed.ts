/**
 * Runs the process that is to be killed, and kills it.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { ROOT } from "../../../support/repository.ts";
import type { Step } from "./killed_child.ts";

/** Lets a process come to a step, and kills it there with SIGKILL. */
export async function killedAt(
  step: Step,
  on: { readonly url: string; readonly businessUrl: string; readonly schema: string },
): Promise<void> {
  const child = spawn(process.execPath, [
    ...["run", "--quiet", "--allow-all", `${ROOT}tests/bus/half/exceptions/killed_child.ts`],
    ...[on.url, on.businessUrl, on.schema, step],
  ], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  let output = "";
  for await (const text of child.stdout.setEncoding("utf8")) {
    output += text;
    if (output.includes(`at: ${step}`)) child.kill("SIGKILL");
  }
  const [code, signal] = await closed as [number | null, string | null];
  if (signal !== "SIGKILL") {
    throw new Error(`Cannot kill the process ${step}: it ended by itself with code ${code}`);
  }
}
