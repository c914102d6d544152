import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { openPglite, pgliteStore } from "../../../adapters/pglite/mod.ts";
import { lockFolder } from "../../../adapters/pglite/folder_lock.ts";
import { keyOf } from "../../../devtools/conformance/store/subject.ts";

const CHILD = fileURLToPath(new URL("../../support/pglite_child.ts", import.meta.url));
const LOCKED = { code: "database_locked" };

describe("the lock of a PGlite folder", () => {
  it("holds off a second opening, under any name of the folder, until it is given back", () =>
    withFolder(async (folder) => {
      const unlock = await lockFolder(folder);
      await symlink(folder, `${folder}-alias`);
      for (const name of [folder, `${folder}/../${folder.split("/").at(-1)}`, `${folder}-alias`]) {
        await assert.rejects(lockFolder(name), {
          ...LOCKED,
          message: new RegExp(`Cannot open ${folder}: process ${process.pid} on `),
        });
      }
      await unlock();
      await (await lockFolder(folder))();
    }));

  it("of a dead process is taken over by exactly one of many", () =>
    withFolder(async (folder) => {
      const dead = { pid: await deadPid(), host: hostname(), birth: null, token: "dead" };
      await writeFile(`${folder}.lock`, JSON.stringify(dead));
      const attempts = await Promise.allSettled(
        Array.from({ length: 20 }, () => lockFolder(folder)),
      );
      const won = attempts.filter((attempt) => attempt.status === "fulfilled");
      assert.equal(won.length, 1);
      for (const attempt of attempts) {
        if (attempt.status === "rejected") assert.equal(attempt.reason.code, "database_locked");
      }
      await won[0]?.value();
      await noneLeft(folder);
    }));

  it("of a dead process whose takeover died too is taken over", () =>
    withFolder(async (folder) => {
      const dead = { pid: await deadPid(), host: hostname(), birth: null, token: "dead" };
      await writeFile(`${folder}.lock`, JSON.stringify(dead));
      await writeFile(`${folder}.lock.dead`, JSON.stringify({ ...dead, token: "dead-too" }));
      await (await lockFolder(folder))();
      await noneLeft(folder);
    }));

  it("of a process whose number another has now is taken over", () =>
    withFolder(async (folder) => {
      const unlock = await lockFolder(folder);
      const own = JSON.parse(await readFile(`${folder}.lock`, "utf8"));
      await unlock();
      if (own.birth === null) return;
      await writeFile(`${folder}.lock`, JSON.stringify({ ...own, birth: "before", token: "old" }));
      await (await lockFolder(folder))();
    }));

  it("that a power loss left empty is taken over", () =>
    withFolder(async (folder) => {
      await mkdir(folder);
      await writeFile(`${folder}.lock`, "");
      await (await lockFolder(folder))();
      await noneLeft(folder);
    }));

  it("of another machine is never taken over, and the error says what to do", () =>
    withFolder(async (folder) => {
      const other = { pid: 1, host: "elsewhere", birth: null, token: "other" };
      await writeFile(`${folder}.lock`, JSON.stringify(other));
      await assert.rejects(lockFolder(folder), {
        ...LOCKED,
        message: /process 1 on elsewhere has it open.*; delete .*\.lock if that machine is gone/,
      });
    }));
});

describe("opening a PGlite folder", () => {
  it("fails for a second process, and works again after kill -9, with all that was acknowledged", () =>
    withFolder(async (folder) => {
      const holder = startChild(folder);
      const lines = linesOf(holder);
      const acknowledged: number[] = [];
      for await (const line of lines) {
        if (line === "open") continue;
        acknowledged.push(Number(line));
        if (acknowledged.length === 1) {
          await assert.rejects(openPglite(folder), {
            ...LOCKED,
            message: new RegExp(`${folder}: process ${holder.pid} on`),
          });
        }
        if (acknowledged.length === 20) holder.kill("SIGKILL");
      }
      assert.ok(acknowledged.length >= 20);
      const db = await openPglite(folder);
      try {
        const store = pgliteStore(db);
        for (const i of acknowledged) {
          assert.notEqual(await store.find("outbox", keyOf(`a-${i}`)), null, `a-${i} is lost`);
        }
        // And the other way round: this process holds off a child.
        const second = startChild(folder);
        const said: string[] = [];
        for await (const line of linesOf(second)) said.push(line);
        assert.deepEqual(said, ["database_locked"]);
      } finally {
        await db.close();
      }
      await noneLeft(folder);
    }));

  it("gives the folder back when it cannot be opened", () =>
    withFolder(async (folder) => {
      await mkdir(folder);
      await writeFile(join(folder, "PG_VERSION"), "not a database");
      await assert.rejects(openPglite(folder));
      await noneLeft(folder);
    }));

  it("refuses what is no path", async () => {
    for (const dataDir of ["", "memory://", "idb://atlast"]) {
      await assert.rejects(openPglite(dataDir), { code: "invalid_option" });
    }
  });
});

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "atlast-"));
  try {
    await test(join(root, "data"));
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** No file of any lock is left beside the folder. */
async function noneLeft(folder: string): Promise<void> {
  assert.deepEqual((await readdir(join(folder, ".."))).filter((name) => name.includes("lock")), []);
}

function startChild(folder: string): ChildProcess {
  const stdio: ("ignore" | "pipe" | "inherit")[] = ["ignore", "pipe", "inherit"];
  return spawn(process.execPath, ["run", "-A", "--no-check", "--quiet", CHILD, folder], { stdio });
}

/** What a child says, until it has ended. */
async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  const ended = once(child, "close");
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    yield line;
  }
  await ended;
}

/** The number of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await once(child, "close");
  return child.pid as number;
}
