/**
 * The programs of docs/deploy/frameworks.md, served and delivered to.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { httpTransport } from "../../adapters/http/mod.ts";
import { arriving } from "../support/bus_fixture.ts";
import { codeBlocks } from "../support/markdown.ts";
import { readText, ROOT } from "../support/repository.ts";
import { Program } from "../support/runtimes/program.ts";

const FOLDER = join(ROOT, ".tmp/docs/frameworks");
const programs = codeBlocks(readText("docs/deploy/frameworks.md")).filter(({ info }) =>
  info === "ts"
);

describe("docs/deploy/frameworks.md", () => {
  it("has a program for Express and one for Fastify", () => {
    assert.equal(programs.length, 2);
  });

  for (const framework of ["express", "fastify"]) {
    it(`receives signed batches with ${framework}, and refuses unsigned ones`, {
      timeout: 120_000,
    }, async () => {
      const code = programs.find((each) => each.code.includes(` from "${framework}"`))?.code ?? "";
      mkdirSync(FOLDER, { recursive: true });
      const file = join(FOLDER, `${framework}.ts`);
      writeFileSync(file, code);
      const key = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64");
      const program = new Program({
        command: process.execPath,
        args: ["run", "--allow-all", file],
        cwd: FOLDER,
        env: { PORT: "0", SIGNING_KEY: key },
      });
      try {
        const [, port] = await program.says(/Listening on [^]*?port: (\d+)/);
        const url = `http://127.0.0.1:${port}/atlast/deliver`;
        const transport = httpTransport({ routes: { "#": url }, signingKeys: [key] });
        const handled = program.says(/^order 7$/);
        const message = arriving("m", { body: JSON.stringify({ orderId: 7 }) });
        const signal = new AbortController().signal;
        assert.deepEqual(await transport.send([message], signal), [{ kind: "sent" }]);
        await handled;
        const unsigned = await fetch(url, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: "{}",
        });
        assert.equal(unsigned.status, 401, await unsigned.text());
        await transport.close();
      } finally {
        await program.kill();
      }
    });
  }
});
