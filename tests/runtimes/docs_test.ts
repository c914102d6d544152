/**
 * The programs for copying in the README, in docs/ and in docstrings, as those show them. A whole program is a
 * `ts` block; where a `text` block follows it, that is what the program prints. The two services of
 * docs/getting-started.md are files that name themselves in their first line.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { type CodeBlock, codeBlocks, docstringExamples } from "../support/markdown.ts";
import { NO_POSTGRES, postgresUrl } from "../support/postgres.ts";
import { readText, ROOT, shippedFiles } from "../support/repository.ts";
import { Front } from "../support/runtimes/front.ts";
import { Program } from "../support/runtimes/program.ts";
import { skipFor } from "../support/skip.ts";
import { newDatabase } from "../support/two_databases.ts";

const FOLDER = join(ROOT, ".tmp/docs/programs");
const PAGES = ["README.md", ...globSync("docs/**/*.md", { cwd: ROOT }).sort()];

/** A program that a page shows, with what it prints. */
interface ShownProgram {
  readonly title: string;
  readonly code: string;
  /** What it prints; undefined where the page does not say. */
  readonly output: string | undefined;
}

/** The programs of a page that are followed by what they print, or are tests. */
function programsOf(page: string): ShownProgram[] {
  const blocks = codeBlocks(readText(page));
  return blocks.flatMap(({ info, code }, at) => {
    const output = outputAfter(blocks, at);
    const isTest = code.includes('from "node:test"') || code.includes("Deno.test(");
    if (info !== "ts" || (output === undefined && !isTest)) return [];
    return [{ title: `program ${at + 1} of ${page}`, code, output }];
  });
}

/**
 * The examples in the docstrings of a file that are whole programs. One that does not say what it prints prints
 * nothing. An example that declares values of its reader's cannot run.
 */
function examplesOf(file: string): ShownProgram[] {
  return docstringExamples(readText(file)).flatMap((example) => {
    const blocks = codeBlocks(example);
    return blocks.flatMap(({ info, code }, at) => {
      if (info !== "ts" || /^declare /m.test(code)) return [];
      return [{ title: `example in ${file}`, code, output: outputAfter(blocks, at) ?? "" }];
    });
  });
}

/** The `text` block after a program, if the words between them say that it is what the program prints. */
function outputAfter(blocks: readonly CodeBlock[], at: number): string | undefined {
  const next = blocks[at + 1];
  return next?.info === "text" && next.before.trim() === "It prints:" ? next.code : undefined;
}

describe("the programs of the README, docs/ and docstrings", () => {
  const programs = [...PAGES.flatMap(programsOf), ...shippedFiles().flatMap(examplesOf)];

  it("are found", () => {
    const pages = new Set(programs.map(({ title }) => title.replace(/^.* of /, "")));
    for (const page of ["README.md", "docs/getting-started.md", "docs/testing.md"]) {
      assert.ok(pages.has(page), `${page} has no program that the tests run`);
    }
    const titles = new Set(programs.map(({ title }) => title));
    for (const file of ["mod.ts", "bus/create_bus.ts", "bus/api/subscriber.ts"]) {
      assert.ok(titles.has(`example in ${file}`), `${file} has no example that the tests run`);
    }
  });

  it("say what they print", () => {
    const examples = shippedFiles().flatMap((file) =>
      docstringExamples(readText(file)).map((markdown) => ({ of: file, markdown }))
    );
    const pages = PAGES.map((page) => ({ of: page, markdown: readText(page) }));
    const silent = [...pages, ...examples].filter(({ markdown }) => {
      const blocks = codeBlocks(markdown);
      return blocks.some(({ info, code }, at) =>
        info === "ts" && code.includes("console.log(") && outputAfter(blocks, at) === undefined &&
        // A file of a page that has several, which a test of that page runs.
        !/^\/\/ \w+\.ts\n/.test(code)
      );
    });
    assert.deepEqual(silent.map(({ of }) => of), []);
  });

  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  for (const [at, { title, code, output }] of programs.entries()) {
    it(`${title} does what the page says`, { timeout: 120_000 }, () => {
      const file = join(FOLDER, `program_${at}.ts`);
      writeFileSync(file, code);
      const args = output === undefined ? ["test"] : ["run"];
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [...args, "--quiet", "--allow-all", file],
        { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
      );
      assert.equal(status, 0, `${stdout}\n${stderr}`);
      if (output !== undefined) assert.equal(stdout, output);
    });
  }
});

const url = await postgresUrl();

describe("the two services of docs/getting-started.md", {
  skip: url === null ? skipFor(NO_POSTGRES) : false,
}, () => {
  it("reserve what is there, and say what is sold out", { timeout: 120_000 }, async () => {
    const folder = join(FOLDER, "getting_started");
    const files = namedFiles(readText("docs/getting-started.md"));
    assert.deepEqual([...files.keys()], ["contracts.ts", "inventory.ts", "orders.ts"]);
    mkdirSync(folder, { recursive: true });
    for (const [name, code] of files) writeFileSync(join(folder, name), code);
    const databases = [await newDatabase(url as string), await newDatabase(url as string)] as const;
    const fronts = [await Front.open(), await Front.open()] as const;
    const env = {
      PORT: "0",
      SIGNING_KEY: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64"),
      ORDERS_URL: fronts[0].origin,
      ORDERS_DATABASE_URL: databases[0].url,
      INVENTORY_URL: fronts[1].origin,
      INVENTORY_DATABASE_URL: databases[1].url,
    };
    const programs: Program[] = [];
    const serving = async (file: string, front: Front): Promise<Program> => {
      const args = ["run", "--check", "--allow-all", join(folder, file)];
      const program = new Program({ command: process.execPath, args, cwd: folder, env });
      programs.push(program);
      const [, port] = await program.says(/Listening on .*:(\d+)/);
      front.target = `http://127.0.0.1:${port}`;
      return program;
    };
    try {
      await serving("inventory.ts", fronts[1]);
      const orders = await serving("orders.ts", fronts[0]);
      const answers = [orders.says(/^order 1: reserved$/), orders.says(/^order 2: sold out$/)];
      for (const [orderId, qty] of [[1, 2], [2, 9]]) {
        const body = JSON.stringify({ productId: 1, qty });
        const response = await fetch(`${fronts[0].origin}/orders`, { method: "POST", body });
        assert.deepEqual(await response.json(), { orderId });
      }
      await Promise.all(answers);
    } finally {
      for (const program of programs) await program.kill();
      for (const front of fronts) await front.close();
      for (const database of databases) await database.drop();
    }
  });
});

/** The blocks of a page that are whole files: their first line is a comment with their name. */
function namedFiles(markdown: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const { code } of codeBlocks(markdown)) {
    const name = /^\/\/ ([\w-]+\.ts)\n/.exec(code)?.[1];
    if (name !== undefined) files.set(name, code);
  }
  return files;
}
