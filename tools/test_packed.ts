/**
 * `deno task test:packed node` and `… bun`: runs the conformance suites on that runtime, on the package that
 * `deno task npm` makes and npm installs. With paths after the runtime, those test files instead.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { bundled, isTestRuntime, SUITES, testCommand } from "../tests/support/runtimes/packed.ts";

process.exitCode = await main(process.argv.slice(2));

async function main([runtime = "", ...files]: readonly string[]): Promise<number> {
  if (!isTestRuntime(runtime)) {
    console.error(`Cannot test on "${runtime}": want node or bun, and after it test files`);
    return 2;
  }
  const bundles = await bundled(files.length === 0 ? SUITES : files);
  const { command, args, cwd, env } = await testCommand(runtime, bundles);
  return spawnSync(command, args, { cwd, env, stdio: "inherit" }).status ?? 1;
}
