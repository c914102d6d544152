/**
 * Store and streams in Upstash Redis on each runtime, before the proxy, with the package as npm installs it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { build, stop } from "esbuild";
import { ROOT } from "../support/repository.ts";
import { type Command, run } from "../support/runtimes/program.ts";
import { start, workerdRunning } from "../support/runtimes/runtime.ts";
import { bunPath, workplace } from "../support/runtimes/workplace.ts";
import type { Told } from "../support/runtimes/upstash/story.ts";
import { skipFor } from "../support/skip.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "../support/upstash_redis.ts";

const SOURCES = "tests/support/runtimes/upstash";

const BODIES = ["007", `{"a":1}`, "Grüße 日本語 👍"].map((text, n) => ({ n, text }));
const WANTED: Told = {
  ticks: [[3, 0, 0], [3, 3, 3], [0, 3, 3]],
  handled: BODIES,
  answered: BODIES.map(({ n, text }) => ({ n, text: `reserved ${text}` })),
  succeeded: [3, 3, 3, 3],
};

describe("Upstash Redis on each runtime", { skip: await problem() }, () => {
  let upstash: UpstashRedis;
  before(async () => {
    upstash = await startUpstashRedis();
  });
  after(async () => await upstash.stop());

  const programs: Record<string, () => Promise<Omit<Command, "cwd">>> = {
    Deno: () =>
      Promise.resolve({
        command: process.execPath,
        args: ["run", "--quiet", "--no-check", "--allow-all", join(SOURCES, "main.ts")],
      }),
    Node: async () => ({ command: "node", args: [await bundled()] }),
    Bun: async () => ({ command: await bunPath(), args: [await bundled()] }),
  };
  for (const [name, program] of Object.entries(programs)) {
    it(name, { timeout: 120_000 }, async () => {
      const { command, args } = await program();
      const output = await run({
        command,
        args: [...args, upstash.url, upstash.token, `on-${name}`],
        cwd: ROOT,
      });
      told(JSON.parse(output));
    });
  }

  it("workerd", { timeout: 120_000 }, async () => {
    const worker = await start(workerdRunning(installed), {
      UPSTASH_REDIS_REST_URL: upstash.url,
      UPSTASH_REDIS_REST_TOKEN: upstash.token,
      // What runs it gives every Worker a database, which this one does not use.
      DATABASE_URL: "postgres://nobody@127.0.0.1/none",
    });
    try {
      // More than one request: nothing may be kept from one to the next that is a request's own.
      for (const prefix of ["first", "second"]) {
        const response = await fetch(`${worker.origin}/${prefix}`);
        assert.equal(response.status, 200, await response.clone().text());
        told(await response.json());
      }
    } finally {
      await worker.stop();
    }
  });
});

/** All of it, whatever the order of the messages. */
function told(actual: Told): void {
  const sorted = ({ handled, answered, ...rest }: Told) => ({
    ...rest,
    handled: handled.map((body) => JSON.stringify(body)).sort(),
    answered: answered.map((body) => JSON.stringify(body)).sort(),
  });
  assert.deepEqual(sorted(actual), sorted(WANTED));
}

/** The sources where the installed package is found. */
async function installed(): Promise<string> {
  const folder = join(await workplace(), "shop/upstash");
  cpSync(join(ROOT, SOURCES), folder, { recursive: true });
  return folder;
}

/** The program for Node and Bun; packages stay what npm installed. */
async function bundled(): Promise<string> {
  const folder = await installed();
  const outfile = join(folder, "main.mjs");
  await build({
    entryPoints: [join(folder, "main.ts")],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
  // Its own process would outlive the test.
  await stop();
  return outfile;
}

/** Why it cannot run on this machine; false when it can. With `CI=true` it must. */
async function problem(): Promise<string | false> {
  const redis = redisProblem();
  if (redis !== null) return skipFor(redis);
  try {
    await Promise.all([workplace(), bunPath()]);
    return false;
  } catch (error) {
    if (process.env["CI"] === "true") throw error;
    return skipFor(`Node and Bun cannot be made ready: ${String(error).split("\n")[0]}`);
  }
}
