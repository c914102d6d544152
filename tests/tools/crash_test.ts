import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { hasPostgres } from "../../tools/postgres_server.ts";
import { redisProblem } from "../support/redis_server.ts";
import { skipFor } from "../support/skip.ts";

const skip = hasPostgres() ? false : skipFor("no Postgres program to start: this suite is skipped");
const problem = redisProblem();
const skipRedis = problem === null ? false : skipFor(problem);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Runs the program; resolves with its exit code and its lines. */
async function crash(...args: string[]): Promise<{ code: number; lines: string[] }> {
  const child = spawn(process.execPath, ["run", "-A", "tools/crash/main.ts", ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk) => text += String(chunk));
  const [code] = await once(child, "close");
  return { code, lines: text.trim().split("\n") };
}

describe("a crash run", () => {
  it("loses and doubles nothing under kills, a server crash and cuts", { skip }, async () => {
    const { code, lines } = await crash(
      ..."--kills 6 --restarts 1 --messages 1500 --processes 2 --seed 14".split(" "),
    );
    const report = lines.join("\n");
    assert.equal(code, 0, report);
    const form = /^crash: (\d+) messages, 6 kills, 1 restarts, 0 lost, 0 doubled$/;
    const [, messages] = form.exec(lines.at(-1) as string) ?? assert.fail(report);
    assert.ok(Number(messages) >= 1_500, report);
  });

  it("loses what standbys lost, and nothing else, and verify names it", { skip }, async () => {
    const { code, lines } = await crash(
      ..."--promote-standby --kills 2 --restarts 0 --messages 600 --in-flight 100".split(" "),
      ..."--processes 1 --seed 14".split(" "),
    );
    const report = lines.join("\n");
    assert.equal(code, 0, report);
    assert.match(
      lines.at(-1) as string,
      /^crash: \d+ messages, 2 kills, 0 restarts, 2 failovers, 0 lost, 0 doubled$/,
    );
    for (const service of ["orders", "stock"]) {
      assert.match(report, new RegExp(`took over for ${service}, without \\d`));
    }
    assert.match(report, /verify names .*\d/);
  });

  for (
    const { stores, args, restarts, needs } of [
      {
        stores: "--store pglite --transport qstash",
        args: "--kills 2 --messages 150 --in-flight 40 --seed 14",
        restarts: 0,
        needs: false as const,
      },
      {
        stores: "--store redis --transport stream",
        args: "--kills 2 --restarts 1 --messages 200 --in-flight 40 --processes 1 --seed 14",
        restarts: 1,
        needs: skipRedis,
      },
    ]
  ) {
    it(`loses and doubles nothing with ${stores}`, { skip: needs }, async () => {
      const { code, lines } = await crash(...`${stores} ${args}`.split(" "));
      const report = lines.join("\n");
      assert.equal(code, 0, report);
      const end = `messages, 2 kills, ${restarts} restarts, 0 lost, 0 doubled`;
      assert.ok(lines.at(-1)?.endsWith(end), report);
    });
  }

  it("refuses bad arguments", async () => {
    for (
      const [args, problem] of [
        ["--kills many", "--kills many: want a whole number"],
        ["--mode proxy", "--mode proxy: want one of"],
        ["--messages 0", "--messages 0: want a whole number"],
        ["--store disk", "--store disk: want one of"],
        ["--failovers 1", "--failovers 1: want it with --promote-standby"],
        ["--promote-standby --mode pgbouncer", "--promote-standby: want it with --mode direct"],
        ["--promote-standby --store pglite", "--promote-standby: want it with --store postgres"],
        ["--transport mail", "--transport mail: want one of"],
        [
          "--promote-standby --transport qstash",
          "--promote-standby: want it with --transport http",
        ],
        ["--store pglite --mode pgbouncer", "--mode pgbouncer: want it with --store postgres"],
        [
          "--store pglite --restarts 1",
          "--restarts 1: want it with a store or transport with a server",
        ],
        ["--store pglite --processes 2", "--processes 2: want it with a store that several"],
      ] as const
    ) {
      const { code, lines } = await crash(...args.split(" "));
      assert.equal(code, 2);
      assert.ok(lines[0]?.startsWith(`Cannot use ${problem}`), lines[0]);
    }
  });
});
