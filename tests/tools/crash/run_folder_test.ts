import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { makeRunFolder, removeDeadRuns, removeRunFolder } from "../../../tools/crash/run_folder.ts";
import { hasPostgres } from "../../../tools/postgres_server.ts";
import { runningProcesses } from "../../../tools/processes.ts";
import { skipFor } from "../../support/skip.ts";

const skip = hasPostgres() ? false : skipFor("no Postgres program to start: this suite is skipped");

describe("what a killed crash run leaves", { skip }, () => {
  it("is removed by the next one, with its server, and nothing of a run that goes on is", async () => {
    const own = makeRunFolder();
    try {
      const child = spawn(process.execPath, [
        "run",
        "-A",
        fileURLToPath(new URL("../../support/run_folder_child.ts", import.meta.url)),
      ], { stdio: ["ignore", "pipe", "inherit"] });
      const [line] = await once(createInterface({ input: child.stdout }), "line");
      const { folder, server } = JSON.parse(line) as { folder: string; server: number };
      const isServerUp = () => runningProcesses().some(({ pid }) => pid === server);
      assert.ok(isServerUp());
      child.kill("SIGKILL");
      await once(child, "close");
      assert.ok((await removeDeadRuns()).includes(folder));
      assert.ok(!isServerUp());
      assert.ok(!existsSync(folder));
      assert.ok(existsSync(own));
    } finally {
      removeRunFolder(own);
    }
  });
});
